// The elements of the sections, which are made here and not in index.html: few visitors see them.

/** Returns a new element. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Partial<HTMLElementTagNameMap[K]> = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
}

/** Returns a section with its heading, which can be given the keyboard. */
export function section(id: string, heading: string, ...children: (Node | string)[]): HTMLElement {
  const title = make("h2", { id: `${id}-title`, tabIndex: -1 }, heading);
  const root = make("section", { id, className: "card" }, title, ...children);
  root.setAttribute("aria-labelledby", title.id);
  return root;
}

/** Returns a button that does not send a form. */
export function button(id: string, text: string, onClick: () => void, className = ""): HTMLButtonElement {
  const b = make("button", { id, type: "button", className }, text);
  b.addEventListener("click", onClick);
  return b;
}

/** What fields for codes are like. */
export const CODE: Partial<HTMLInputElement> = {
  autocomplete: "one-time-code", autocapitalize: "characters", maxLength: 64, spellcheck: false, required: true,
};

/** Returns a field, and the row with its label to be put into a form. */
export function field(
  id: string, label: string, properties: Partial<HTMLInputElement>,
): [field: HTMLInputElement, row: HTMLElement] {
  const f = make("input", { id, ...properties });
  f.setAttribute("autocorrect", "off");
  return [f, make("div", {}, make("label", { htmlFor: id }, label), f)];
}

/** Returns a field by which password managers know whose password a form is about. The page fills it in. */
export const whose = (): HTMLInputElement => make("input",
  { type: "text", className: "whose", autocomplete: "username", readOnly: true, hidden: true });

/** Returns a text that only screen readers get. */
export const unseen = (text: string): HTMLElement => make("span", { className: "unseen" }, text);
