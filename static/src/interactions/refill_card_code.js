/**
 * What `codes.py` knows about typed codes, as far as the page may: alphabets and lengths, but no
 * series' prefix. So it finds typing errors before anything is sent, and never takes for one what
 * the server accepts.
 *
 * @typedef {{ characters: string, length: number }} Format the length is that of the whole body
 */

import { readCode } from "./refill_card_link";

const GROUP = 4;
/** How many digits stand behind a series' name in a serial number, at least and at most. */
const SERIAL_DIGITS = [6, 7];
const SEPARATOR = /[\p{Pd}\p{Zs}\p{Zl}\p{Zp}\p{Cc}\p{Cf}\u2212]/u;
const PUNCTUATION = "._/";
const FULL_STOPS = /[.\uff0e\u3002\u06d4]+$/;
const LOOK_ALIKES = { O: "0", I: "1", L: "1" };

/** Digits of a script follow each other in Unicode, from zero to nine. */
function toAscii(character) {
    const isDigit = (point) => /\p{Nd}/u.test(String.fromCodePoint(point));
    const point = character.codePointAt(0);
    if (!isDigit(point)) {
        return character;
    }
    let zero = point;
    while (isDigit(zero - 1)) {
        zero--;
    }
    return String((point - zero) % 10);
}

function unwrap(text) {
    return readCode(text).trim().replace(FULL_STOPS, "");
}

/** Return what was typed or pasted, maybe a link, in capitals, without spaces and dashes. */
function clean(text) {
    return Array.from(unwrap(text).normalize("NFKC").toUpperCase())
        .filter((character) => !SEPARATOR.test(character))
        .map(toAscii)
        .join("");
}

/** Luhn mod N, as python-stdnum's `luhn.is_valid`. */
function isValid(body, characters) {
    const size = characters.length;
    const digits = Array.from(body, (character) => characters.indexOf(character)).reverse();
    const sum = digits.reduce((total, digit, index) => {
        const doubled = 2 * digit;
        return total + (index % 2 ? Math.floor(doubled / size) + (doubled % size) : digit);
    }, 0);
    return !digits.includes(-1) && sum % size === 0;
}

/**
 * Return the format that a typed code fits, whatever stands before the body.
 *
 * @param {string} text
 * @param {Format[]} formats
 * @returns {Format | undefined}
 */
export function findFormat(text, formats) {
    const characters = normalize(text);
    return formats.find(
        ({ characters: alphabet, length }) =>
            characters.length >= length && isValid(characters.slice(-length), alphabet),
    );
}

/**
 * Return whether a typed code can be one that another system made: those have no check character.
 *
 * @param {string} text
 * @param {number[]} lengths how many letters and digits such codes have
 * @param {boolean} [isTyping] whether the beginning is enough
 */
export function fitsForeign(text, lengths, isTyping = false) {
    const characters = Array.from(unwrap(text).normalize("NFKC")).filter(
        (character) => !SEPARATOR.test(character) && !PUNCTUATION.includes(character),
    );
    return lengths.some((length) =>
        isTyping ? characters.length <= length : characters.length === length,
    );
}

/** Return what was typed as the server compares it. */
export function normalize(text) {
    return clean(text).replace(/[OIL]/g, (character) => LOOK_ALIKES[character]);
}

/**
 * Return whether a text is a card's serial number, or the beginning of one.
 *
 * @param {string} text
 * @param {string[]} shapes how the serial numbers of series begin, `#` for each counting digit
 * @param {boolean} [isTyping] whether the beginning is enough
 */
export function isSerial(text, shapes, isTyping = false) {
    const characters = normalize(text);
    return shapes.some((shape) => {
        const isLong = characters.length >= shape.length + SERIAL_DIGITS[0];
        const isShort = characters.length <= shape.length + SERIAL_DIGITS[1];
        const fits = Array.from(characters).every((character, index) =>
            (shape[index] || "#") === "#" ? /[0-9]/.test(character) : character === shape[index],
        );
        return fits && isShort && (isLong || (isTyping && characters.length >= GROUP));
    });
}

/** Return how many of the first characters are a prefix, judged by the dash behind it. */
function measureTypedPrefix(text, isTyping) {
    const segments = text.split(new RegExp(SEPARATOR, "gu")).map(clean);
    const isDashTyped = isTyping && segments.length > 1 && !segments.at(-1);
    const [first, ...others] = segments.filter(Boolean);
    const last = [first, ...others].pop();
    if (isDashTyped && last.length % GROUP && [first, ...others].slice(0, -1).every(isGroup)) {
        return clean(text).length;
    }
    return others.length && !isGroup(first) ? first.length : 0;
}

function isGroup(segment) {
    return segment.length === GROUP;
}

/**
 * Return a code in groups, as it is printed; as long as it isn't whole, in groups of four.
 * Look-alikes stay as they were typed, and so does what can't be a code.
 *
 * @param {string} text
 * @param {Format[]} formats
 * @param {boolean} [isTyping] whether a dash at the end was just typed
 */
export function group(text, formats, isTyping = false) {
    text = readCode(text);
    const characters = clean(text);
    if (!/^[0-9A-Z]+$/.test(characters)) {
        return text;
    }
    const format = findFormat(text, formats);
    const start = format ? characters.length - format.length : measureTypedPrefix(text, isTyping);
    const groups = characters.slice(start).match(/.{1,4}/g) || [];
    if (format && groups.at(-1).length === 1) {
        groups.push(groups.splice(-2).join(""));
    }
    if (start) {
        groups.unshift(characters.slice(0, start));
    }
    if (isTyping && !format && SEPARATOR.test(text.at(-1))) {
        groups.push("");
    }
    return groups.join("-");
}

/**
 * Group what is in a field, and leave the caret behind the same character.
 *
 * @param {HTMLInputElement} inputEl
 * @param {Format[]} formats
 * @param {boolean} [isTyping] see {@link group}
 */
export function groupField(inputEl, formats, isTyping) {
    const grouped = group(inputEl.value, formats, isTyping);
    if (grouped === inputEl.value) {
        return;
    }
    const isAtEnd = inputEl.selectionStart === inputEl.value.length;
    let left = clean(inputEl.value.slice(0, inputEl.selectionStart)).length;
    inputEl.value = grouped;
    if (!isAtEnd) {
        let caret = 0;
        while (left > 0) {
            left -= grouped[caret++] === "-" ? 0 : 1;
        }
        inputEl.setSelectionRange(caret, caret);
    }
}
