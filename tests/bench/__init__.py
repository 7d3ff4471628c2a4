"""Benchmarks (`make bench`): the real app on a virtual desktop, measured from outside.

    start        from the command to tray, first answer, warm engine
    idle         memory and processor time while nobody dictates
    press        from the key to the first block of sound
    release      from letting go to text in another window, beside the peers' way
    telemetry    what recording an event costs, beside the clients that others use
    accuracy     word errors through the whole app, beside one pass of the same model

How each figure is taken: docs/measurements.md. Nothing here asserts a time.
"""
