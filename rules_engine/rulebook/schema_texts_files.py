"""What editors say of stores.yaml and of tests: a sentence and an example for every key."""

from __future__ import annotations

from collections.abc import Mapping

from .schema_texts import Said

STORES_KEYS: Mapping[str, Said] = {
    "stores": Said(
        "The shops that the engine serves; each has a short name, which ends its webhook URL.",
        (
            {
                "web": {
                    "vendor": "ecwid",
                    "store_id": 1003,
                    "token": "${WEB_TOKEN}",
                    "client_secret": "${WEB_CLIENT_SECRET}",
                }
            },
        ),
    ),
    "notify": Said(
        "Whom rules may tell what they did: a name for the URL of a Slack-compatible webhook, which is a secret.",
        (
            {"shop-floor": "${SHOP_FLOOR_WEBHOOK}"},
            {"shop-floor": {"url": "${SHOP_FLOOR_WEBHOOK}", "morning_note": "08:00", "time_zone": "Asia/Riyadh"}},
        ),
    ),
}

TARGET_KEYS: Mapping[str, Said] = {
    "url": Said("The URL of the Slack-compatible webhook, which is a secret.", ("${SHOP_FLOOR_WEBHOOK}",)),
    "morning_note": Said(
        "The time of day at which it gets the note: what was taken and returned, and what waits for people.", ("08:00",)
    ),
    "time_zone": Said("The time zone of the morning note's time; UTC without it.", ("Asia/Riyadh",)),
}

VENDOR = Said("The shop system; it decides which other keys there are.")

STORE_KEYS: Mapping[str, Said] = {
    "vendor": VENDOR,
    "base_url": Said(
        "Where the shop is called: scheme, host and port only. https; http only for this very machine.",
        ("https://shop.example",),
    ),
    "time_zone": Said(
        "What `now` and times without a zone mean in this store's rules; UTC without it.", ("Asia/Riyadh",)
    ),
    "names": Said("The ids of names, for shops that cannot be asked.", ({"categories": {"Featured": "id-1"}},)),
    "names.categories": Said("Names of categories, and their ids.", ({"Featured": "collection-id-1"},)),
    "names.brands": Said("Names of brands, and their ids.", ({"Acme": "663a0cbe516313e5bc94aa87"},)),
    "fields": Said(
        "Our fields as JMESPath over the `data` of a delivery, where whatever posts for the shop uses another shape.",
        ({"tags": "labels[].name"},),
    ),
    "webhook_secret": Said(
        "What signs the webhooks (Standard Webhooks); a list while you change it, the new one first.",
        ("${B2B_WEBHOOK_SECRET}",),
    ),
    "ecwid.store_id": Said("The number of the Ecwid store.", (1003,)),
    "ecwid.token": Said("The app's access token for this store.", ("${WEB_TOKEN}",)),
    "ecwid.client_secret": Said(
        "The app's client secret, which signs the webhooks; a list while you change it, the new one first.",
        ("${WEB_CLIENT_SECRET}", ["${WEB_NEW_SECRET}", "${WEB_CLIENT_SECRET}"]),
    ),
    "zid.store_id": Said("The id of the Zid store.", (37213,)),
    "zid.authorization": Said("The app's authorization token.", ("${KSA_AUTHORIZATION}",)),
    "zid.manager_token": Said("The store's manager token.", ("${KSA_MANAGER_TOKEN}",)),
    "zid.webhook_username": Said("The user name that the webhooks' subscriptions were given.", ("engine",)),
    "zid.webhook_password": Said(
        "The password that the webhooks' subscriptions were given; a list while you change it, the new one first.",
        ("${KSA_WEBHOOK_PASSWORD}",),
    ),
    "zid.webhook_token": Said(
        "A token in the webhooks' URL (`?token=`); taken only with `allow_query_token: true`.", ("${KSA_TOKEN}",)
    ),
    "zid.allow_query_token": Said("Whether a token in the URL is taken, although hosts log URLs.", (True,)),
    "zave.auth_header": Said("The header by which the engine shows who it is.", ("Authorization",)),
    "zave.auth_value": Said("What stands in that header.", ("${B2B_AUTH}",)),
    "zave.tenant": Said(
        "The tenant whose products are this store's; those of others are left alone.", ("tenant-id-1",)
    ),
    "axim.token": Said("The access token.", ("${BRANDS_TOKEN}",)),
    "axim.token_prefix": Said("A word before the token, where the shop wants one.", ("Bearer",)),
}
"""By key, or by vendor and key. What a vendor's file says of its own keys comes before this."""

TESTS = Said(
    "Tests, below the code of each rule; `rules-engine test` plays them.",
    ({"r": [{"name": "stays", "given": {"product": {"stock": 3}}, "expect": "nothing"}]},),
)

TEST_KEYS: Mapping[str, Said] = {
    "name": Said("What the test shows, in words.", ("a sold-out product leaves",)),
    "store": Said("The store in which it happens; the rule's first without it.", ("web",)),
    "at": Said("When `given` is seen, in the store's time zone; a Monday at noon without it.", ("2026-12-01 09:00",)),
    "given": Said(
        "What the shop shows. What is not given is known to be empty.", ({"product": {"sku": "A-1", "stock": 0}},)
    ),
    "after": Said("How much time passes before the test looks at what the rule did.", ("20 minutes",)),
    "expect": Said(
        "What the rule does then: actions, `nothing`, `cannot tell`, or `asks` where it asks a person first.",
        ([{"remove_from_category": "Featured"}], "nothing", "cannot tell", "asks"),
    ),
}

GIVEN_KEYS: Mapping[str, Said] = {
    "product": Said("The product's fields.", ({"sku": "A-1", "stock": 0, "categories": ["Featured"]},)),
    "category": Said("The category's fields.", ({"name": "Sale", "published": False},)),
    "products": Said("The article numbers of the products in the category.", (["A-1", "A-2"],)),
    "before": Said("What was otherwise when it was last seen; without it this is the first sight.", ({"stock": 3},)),
    "held": Said("What the rule did earlier and holds.", ([{"remove_from_category": "Featured"}],)),
    "event": Said("What arrived: `updated` without it; with `deleted` it is gone.", ("created", "updated", "deleted")),
    "unknown": Said("Fields that nobody knows.", (["stock"], "stock")),
    "then": Said("What is seen later.", ([{"after": "5 minutes", "product": {"stock": 5}}],)),
}

CATEGORY_GIVEN_KEYS: Mapping[str, Said] = {
    **GIVEN_KEYS,
    "before": Said(GIVEN_KEYS["before"].text, ({"published": True},)),
    "held": Said(GIVEN_KEYS["held"].text, (["empty_category"], "empty_category")),
    "unknown": Said(GIVEN_KEYS["unknown"].text, (["product_count"], "product_count")),
    "then": Said(GIVEN_KEYS["then"].text, ([{"after": "5 minutes", "category": {"published": True}}],)),
}
"""The same in tests of rules about categories."""

LATER_AFTER = Said("The time since what was seen before.", ("5 minutes",))

VARIANT_KEYS: Mapping[str, Said] = {
    "id": Said("The shop's id of the variant.", (501,)),
    "sku": Said("The variant's article number.", ("A-1-XL",)),
    "stock": Said("How many pieces of it there are; nothing where stock is unlimited.", (3,)),
    "in_stock": Said("Whether there is at least one piece of it.", (True,)),
    "price": Said("The variant's price.", (19.9,)),
}
