// Turns the document into shapes. It runs in a world of its own, and takes every property from the prototype that defines
// it: a page can put other things under the same name on its elements.
(known) => {
  const words = new Set(known.words), tags = new Set(known.tags), roles = new Set(known.roles), types = new Set(known.types);
  const getter = (proto, name) => {
    const get = Object.getOwnPropertyDescriptor(proto, name).get;
    return (node) => get.call(node);
  };
  const children = getter(Node.prototype, 'childNodes'), kind = getter(Node.prototype, 'nodeType');
  const textOf = getter(CharacterData.prototype, 'data'), tagOf = getter(Element.prototype, 'localName');
  const shadowOf = getter(Element.prototype, 'shadowRoot');
  const valueOf = {
    input: getter(HTMLInputElement.prototype, 'value'), textarea: getter(HTMLTextAreaElement.prototype, 'value'),
    placeholder: (e) => attribute(e, 'placeholder') ?? '',
  };
  const attribute = (e, name) => Element.prototype.getAttribute.call(e, name);
  const names = (e) => Element.prototype.getAttributeNames.call(e);

  const most = {elements: 8000, depth: 200, text: 2000, shown: 40};
  const shape = (text) => text.slice(0, most.text).replace(/\p{Lu}/gu, 'X').replace(/\p{N}/gu, '9').replace(/[^X9\s!-\/:-@[-`{-~]/gu, 'x');
  const spell = (word) => (words.has(word) ? word : shape(word).replace(/\s/g, ' ').slice(0, most.shown));
  const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

  const value = /^[a-z0-9 (),.%#\/-]{1,200}$/;
  const styleOf = (e) => {
    const style = getComputedStyle(e);
    let out = '';
    for (const name of known.styles) {
      const v = style.getPropertyValue(name);
      if (v && value.test(v) && !v.includes('url(')) out += `${name}:${v};`;
    }
    return out;
  };
  const picture = new Set(['img', 'picture', 'canvas', 'svg', 'video', 'audio', 'iframe', 'frame', 'object', 'embed', 'math']);
  const silent = new Set(['script', 'style', 'noscript', 'template', 'head', 'link', 'meta', 'title', 'base']);

  const described = (e, tag) => {
    let out = tags.has(tag) ? tag : `custom ${spell(tag)}`;
    for (const name of names(e)) {
      const is = attribute(e, name) ?? '';
      if (name === 'id') out += ` #${spell(is)}`;
      else if (name === 'class') for (const one of is.split(/\s+/).filter(Boolean).slice(0, 8)) out += ` .${spell(one)}`;
      else if (name === 'role') out += ` role=${roles.has(is) ? is : spell(is)}`;
      else if (name === 'type') out += ` type=${types.has(is) ? is : spell(is)}`;
      else if (name === 'disabled' || name === 'hidden') out += ` ${name}`;
      else if (name === 'name') out += ` name=${spell(is)}`;
      else if (name.startsWith('aria-')) out += ` ${known.states.includes(name) && /^(true|false)$/.test(is) ? `${name}=${is}` : 'aria'}`;
      else if (name.startsWith('data-')) out += ` [${words.has(name) ? name : 'data'}=${spell(is)}]`;
      else if (name === 'href') out += ` href=${shape(is).replace(/\s/g, ' ').slice(0, most.shown)}`;
    }
    return out;
  };

  const lines = [];
  let count = 0;
  const line = (depth, text) => lines.push('  '.repeat(Math.min(depth, 40)) + text);
  const walk = (node, depth) => {
    if (count >= most.elements || depth > most.depth) return '';
    if (kind(node) === Node.TEXT_NODE) {
      const text = shape(textOf(node));
      if (text.trim()) line(depth, `"${text.trim().replace(/\s+/g, ' ').slice(0, most.shown)}"`);
      return escape(text);
    }
    if (kind(node) !== Node.ELEMENT_NODE) return '';
    const tag = tagOf(node);
    if (silent.has(tag)) return '';
    count++;
    line(depth, described(node, tag));
    const style = styleOf(node);
    if (picture.has(tag)) {
      const box = Element.prototype.getBoundingClientRect.call(node);
      return `<div style="${style}display:inline-block;background:#ccc;width:${Math.round(box.width)}px;height:${Math.round(box.height)}px"></div>`;
    }
    if (tag === 'input' || tag === 'textarea') {
      const text = shape(String(valueOf[tag](node) || valueOf.placeholder(node)));
      line(depth + 1, `value "${text.replace(/\s+/g, ' ').slice(0, most.shown)}"`);
      return `<div style="${style}">${escape(text)}</div>`;
    }
    if (tag === 'br') return '<br>';
    const shadow = shadowOf(node);
    const inside = tag === 'slot' ? HTMLSlotElement.prototype.assignedNodes.call(node, {flatten: true}) : children(shadow ?? node);
    let out = '';
    for (const child of inside) out += walk(child, depth + 1);
    return `<div style="${style}">${out}</div>`;
  };
  const root = getter(Document.prototype, 'body')(document) ?? getter(Document.prototype, 'documentElement')(document);
  return {html: root ? walk(root, 0) : '', skeleton: lines.join('\n') + '\n'};
}
