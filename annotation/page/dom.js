// Elements, made in a line: the tag, its properties, and what is inside.
export function node(tag, attributes = {}, ...inside) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...inside);
  return made;
}
