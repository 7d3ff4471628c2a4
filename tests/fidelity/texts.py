"""What people write, where it is known to get mangled."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, str] = {
    "accents": "Déjà vu, naïve façade, čeština, Łódź, Håkan, Õie, İstanbul",
    "German": "Grüße aus Köln: Straße, Übermut, Äpfel und ß",
    "Cyrillic": "Съешь ещё этих мягких французских булок. Їжак, Љубав",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, ἀρχή",
    "Arabic": "مرحبا بالعالم، كيف حالك؟ ١٢٣",
    "Hebrew": "שלום עולם, מה שלומך? נִקּוּד",
    "Hindi": "नमस्ते दुनिया, क्षत्रिय और ज्ञान",
    "Thai": "สวัสดีชาวโลก น้ำใจไมตรี",
    "CJK": "你好，世界。こんにちは、世界。안녕하세요 세계 𠮷野家",
    "emoji": "😀 👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪🇯🇵 1️⃣",
    "combining": "e\u0301 a\u0308\u0323 n\u0303 Z\u0351\u036b\u0343a\u0300\u0301",
    "quotes": "“Well,” she said — ‘it’s… »so« „gut“ ‚wie‘ ‹das›’",
    "tabs": "one\ttwo\t\tthree",
    "newlines": "first line\nsecond line\n\nfourth line\n",
    "spaces": "  leading, inner   and trailing  ",
    "10 000 characters": "0123456789 äöü 😀 " * 588 + "done",
}
