# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of `console.numbers` in templates."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console import load, numbers

register = template.Library()


@register.filter
def count(value: float) -> str:
    """Return a whole number with its thousands set apart. A fraction is rounded."""
    return numbers.count(round(value))


@register.filter
def span(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    return load.span(seconds)


@register.filter
def compact(value: int) -> SafeString:
    """Return a number for a tile. One in short has its exact form on hover and for screen readers."""
    shown, exact = numbers.compact(value), numbers.count(value)
    if shown == exact:
        return format_html("{}", exact)
    return format_html('<span title="{}" aria-hidden="true">{}</span><span class="skip">{}</span>', exact, shown, exact)
