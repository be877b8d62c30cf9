// @ts-check
/**
 * The form of a source: shows the types of data and the options that the chosen venue has. What is
 * chosen and the venue has not stays in sight; the server says so.
 */

const venue = /** @type {HTMLSelectElement | null} */ (document.getElementById("id_venue"));

/** @param {Element} row @param {boolean} wanted */
function show(row, wanted) {
  /** @type {HTMLElement} */ (row).hidden = !wanted;
}

/** @param {{types: string[], options: Record<string, string[]>}} has */
function follow(has) {
  for (const box of document.querySelectorAll("#id_types input")) {
    const { value, checked } = /** @type {HTMLInputElement} */ (box);
    const row = box.closest("div");
    if (row) show(row, checked || has.types.includes(value));
  }
  const options = document.querySelectorAll(".field-options [data-name]");
  for (const row of options) {
    const select = row.querySelector("select");
    if (!select) continue;
    const choices = has.options[/** @type {HTMLElement} */ (row).dataset.name ?? ""] ?? [];
    const usual = select.options[0];
    usual.dataset.words ??= usual.text;
    usual.text = choices.length ? `${usual.dataset.words}: ${choices[0]}` : usual.dataset.words;
    for (const option of select.options) {
      option.hidden = option.value !== "" && !option.selected && !choices.includes(option.value);
    }
    show(row, select.value !== "" || choices.length > 0);
  }
  const whole = document.querySelector(".form-row.field-options");
  if (whole) show(whole, [...options].some((row) => !(/** @type {HTMLElement} */ (row).hidden)));
}

if (venue) {
  const venues = JSON.parse(venue.dataset.venues ?? "{}");
  const now = () => venues[venue.value] && follow(venues[venue.value]);
  venue.addEventListener("change", now);
  now();
}
