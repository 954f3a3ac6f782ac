"""Promotional words in utility templates: Meta rejects those that advertise (`TAG_SHOULD_BE_MARKETING`).

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/utility-messages
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from shopbot.host.examinations.examination import Case, Finding, listed

WORDS: Mapping[str, Sequence[str]] = {
    "": ("black friday", "cyber monday", "promo", "sale", "super deal", "voucher"),
    "en": (
        "buy now", "coupon", "deal", "deals", "discount", "discounts", "don't miss", "exclusive", "flash sale",
        "for free", "free gift", "free shipping", "gift card", "hurry", "last chance", "limited time", "new arrivals",
        "off your next", "offer", "offers", "promotion", "save up to", "shop now", "special offer", "while stocks last",
    ),
    "de": (
        "aktion", "aktionen", "angebot", "angebote", "exklusiv", "gratis", "gutschein", "gutscheincode", "jetzt kaufen",
        "jetzt shoppen", "kostenloser versand", "letzte chance", "neuheiten", "nur für kurze zeit", "rabatt", "rabatte",
        "rabattcode", "schnäppchen", "sonderangebot", "solange der vorrat reicht",
    ),
    "fr": (
        "bon de réduction", "bon plan", "cadeau", "code promo", "dernière chance", "exclusif", "exclusivité", "gratuit",
        "livraison gratuite", "nouveautés", "offre", "offres", "profitez", "promotion", "promotions", "réduction",
        "réductions", "remise", "soldes", "vente privée",
    ),
    "es": (
        "aprovecha", "código promocional", "compra ahora", "cupón", "descuento", "descuentos", "envío gratis",
        "exclusivo", "gratis", "liquidación", "novedades", "oferta", "ofertas", "promoción", "promociones", "rebajas",
        "regalo", "última oportunidad",
    ),
    "pt": (
        "aproveite", "brinde", "código promocional", "compre agora", "cupom", "desconto", "descontos", "exclusivo",
        "frete grátis", "grátis", "liquidação", "novidades", "oferta", "ofertas", "promoção", "promoções",
        "últimas unidades", "última chance", "vale-presente",
    ),
    "ar": (
        "تخفيض", "تخفيضات", "خصم", "خصومات", "عرض خاص", "عروض", "قسيمة", "كوبون", "كود خصم", "لفترة محدودة",
        "مجانا", "مجاني", "هدية", "اشتر الآن", "تسوق الآن",
    ),
}  # fmt: skip
"""By language, words that advertise; those under "" in every language. A warning, for a merchant to think again."""


def examine(case: Case) -> Iterator[Finding]:
    """Look through the words of all templates."""
    for name, spec in case.messages.items():
        template = spec.utility_template
        for language, body in template.bodies.items() if template else ():
            found = promotional(body, language) if body else []
            if found:
                words = listed(f"'{word}'" for word in found)
                sounds = "sounds" if len(found) == 1 else "sound"
                why = "Meta rejects utility templates that promote something; say only what became of the order"
                path = ("messages", name, "utility_template", "body", language)
                yield Finding(path, f"{words} {sounds} like advertising: {why}", "warning")


def promotional(text: str, language: str) -> list[str]:
    """List the words in *text* that advertise, each once; of "special offer" not also "offer".

    language: the text's own: `de`, `pt_BR`.
    """
    words = (*WORDS[""], *WORDS.get(re.split("[_-]", language)[0].lower(), ()))
    plain = text.casefold().replace("\u2019", "'")
    found = [word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", plain)]
    return [word for word in found if not any(word in other for other in found if other != word)]
