# 200 strings that take a byte-level tokenizer apart.
import random

WRITTEN = [
    "", " ", "  ", "   ", "\n", "\n\n", " \n", "\n ", "\t", "\t\t x", "\r\n", " \r\n ", "\u00a0", "a\u00a0b", "\u3000", "x \u2003 y",
    "Hello, world!", " Hello, world!", "Hello,  world!", "  leading", "trailing  ", "in   between", "\nnew line\nand another\n\n\nthree",
    "I'm we'll you're they've she'd it's don't", "I'M WE'LL YOU'RE THEY'VE SHE'D IT'S DON'T", "'s 't 're 've 'm 'll 'd", " 's '", "''s", "o'clock rock'n'roll",
    "it’s ‘quoted’ “text”", "can't've", "'", "''", "'\n'", "'S", "'RE", "x's2",
    "0", "1 2 3", "12345", " 3.14159", "1,000,000.00", "v2.5.1-rc3", "2026-11-22T20:05:00Z", "50% of $1,234", "\u0663\u0664\u0665", "\u2167 \u00bd \u00b2", "1st 2nd 3rd", "0x1F600", "555-0199", "1 000 000",
    "!", "?!", "...", "…", "---", " -- ", "(parentheses) [brackets] {braces}", "#tag @name a_b_c snake_case", "C++ and C#", "a/b\\c", "<|not special|>", "|", "~`^", "“”„«»", "¿qué?", "¡hola!", "--> <--", "*bold* _it_",
    "https://example.com/a?b=c&d=%20#e", "name@example.com", "/usr/local/bin", "C:\\Temp\\x.txt", "{\"json\": [1, 2, {\"a\": null}]}", "<p>html &amp; more</p>",
    "déjà vu", "de\u0301ja\u0300 vu", "Straße", "Zürich Österreich", "naïve café", "Łódź", "İstanbul", "smørrebrød", "ﬁ ligature", "Ǆ ǆ", "Ω Å K",
    "Привет, мир!", " Съешь ещё этих мягких булок", "Беларуская мова", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم", "سلام دنیا",
    "नमस्ते दुनिया", "வணக்கம்", "สวัสดีชาวโลก", "你好，世界！", "漢字かな交じり文", "こんにちは世界", "안녕하세요 세계", "ᄒ\u1161\u11ab", "ქართული", "Հայերեն", "አማርኛ", "བོད་སྐད།", "ភាសាខ្មែរ",
    "😀", "😀😀😀", " 👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "👍🏽 ok", "❤️", "a😀b", "♪ la la ♫", "♩♪♫♬♭♮♯", "🤖🎧 earshot", "1️⃣2️⃣", "\u200b\u200d\ufeff", "\ufeffbyte order mark",
    "\u0000", "a\u0000b", "\u0001\u001f\u007f", "\u0085", "\u2028\u2029", "\ue000", "\U0010ffff", "\U000f0000 private", "\ufffd", "x\ufffdy", "\u0300", "e\u0301\u0302\u0303",
    "Kubernetes", "GraphQL PostgreSQL NATS JetStream", "Glossary: Celeri, Jagyss, Skeenmiks, Konsul.", "the the the the", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "AAAAAAAAAAAA", "ababababab", "internationalisation",
    "Antidisestablishmentarianism", "llanfairpwllgwyngyll", "The quick brown fox jumps over the lazy dog.", "THE QUICK BROWN FOX", "ThE qUiCk", "camelCaseAndPascalCase", "x" * 300, "a b " * 40, "é" * 60,
]


def tokenizer_strings():
    chance = random.Random(20261122)
    alphabets = [
        lambda: chr(chance.randrange(32, 127)),
        lambda: chr(chance.randrange(0xA0, 0x250)),
        lambda: chr(chance.randrange(0x400, 0x530)),
        lambda: chr(chance.choice([0x3040, 0x4E00, 0xAC00]) + chance.randrange(90)),
        lambda: chr(chance.randrange(0x1F300, 0x1F650)),
        lambda: chance.choice(" \n\t  '"),
        lambda: chr(chance.choice([*range(0xD800), *range(0xE000, 0x110000)])),
        lambda: chance.choice(["'s", "'ll", " the", "ing", " 20", "1", "...", " -"]),
    ]
    strings = list(WRITTEN)
    while len(strings) < 200:
        mix = chance.sample(alphabets, chance.randrange(1, 4))
        strings.append("".join(chance.choice(mix)() for _ in range(chance.randrange(1, 40))))
    return strings
