# SPDX-License-Identifier: Apache-2.0
"""What the world is called, for whoever makes it and for whoever looks at it."""

PROVIDERS = {"en": "Nightwatch", "it": "Guardia Notturna", "ja": "夜警サービス"}  # each has to leave once
READ = {  # by whoever works at Press 6
    "en": "Wear a helmet and ear protection. Nobody stands inside the guard while the press is closed.",
    "it": "Indossare casco e cuffie. Nessuno resta dentro il riparo con la pressa chiusa.",
    "ja": "ヘルメットと耳栓を着用してください。プレスが閉じている間は柵の中に立ち入らないでください。",
}
# The same in every language; some of them are words of ours as well.
NAMES = {
    "Analyst", "Approver", "Careless", "Controller", "Deputy", "English", "Head", "Italiano", "Keys",
    "Maintenance planner", "Microsoft Sentinel", "Newcomer", "Northern Works", "Northern Works sign-in", "Owner",
    "Panel", "Passkey", "Plant East", "Plant North", "Press Supplier", "Program", "Registers", "Rival", "Robot cell",
    "Safety", "Server",
    "Technician", "Watcher", "Watchful", "Watchful sign-in", "Webhook", "firmware", "gateway-east", "gateway-new",
    "gateway-north", "gateway-wrong", *PROVIDERS.values(),
}  # fmt: skip
# What people of the world wrote, with words in it that give English away.
WRITTEN = {
    "Robot holds somebody's sleeve", "The seal does not come off", "Who was it?", "lid is open", "The contract ended",
    "Smoke at the press",
    "setpoints of line 1", "Shift lead is informed.", "The press stopped after this session", "speed of the belt",
    "vault of the night shift", "conveyor is being moved",
}  # fmt: skip
