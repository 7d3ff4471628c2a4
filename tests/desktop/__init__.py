"""A desktop made of real parts and no hardware, for tests, the demonstration and benchmarks.

    processes   programs that die with whoever started them; conditions with deadlines
    screen      X server, window manager, tray; keys, windows, clipboard, pictures
    bus         session bus and notification service
    sound       PulseAudio with a virtual microphone that recordings are spoken into
    editors     the windows that text is dictated into
    machine     all of it together: `VirtualDesktop`

Each part is a context manager of its own and hands its programs' environment over as a
dictionary. Nothing of the session that runs the tests is read or touched: the environment is
built anew, and display number, bus, sound server and home folder are private.

Imports: nothing of lysnrai_desktop, for it is the world the app lives in.
"""
