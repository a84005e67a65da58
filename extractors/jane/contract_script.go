package jane

// contractScript compares a page with a contractRequest and returns a Finding for the language and for each element. It
// reads texts only where the contract says something about them, of a table the header cells alone, and lets out of the
// page nothing but the profile's words and shapes.
const contractScript = `ask => {
	const squash = text => (text || '').replace(/\s+/g, ' ').trim();
	const known = new Set(ask.words);
	const shape = text => {
		text = squash(text);
		if (text === '') return 'nothing';
		if (known.has(text)) return '"' + text + '"';
		const plain = [...text.slice(0, 200)].map(c => /[0-9]/.test(c) ? '9' : /[ .,:;()\/–-]/.test(c) ? c : 'x').join('');
		return '"' + (plain.length > 40 ? plain.slice(0, 40) + '…' : plain) + '"';
	};
	const oneOf = texts => texts.length === 1 ? '"' + texts[0] + '"' : 'one of ' + texts.map(t => '"' + t + '"').join(', ');
	const isShown = e => e.getClientRects().length > 0;
	const nameOf = e => {
		const by = e.getAttribute('aria-labelledby');
		if (by) return squash(by.split(/\s+/).map(id => document.getElementById(id)?.textContent || '').join(' '));
		if (e.hasAttribute('aria-label')) return squash(e.getAttribute('aria-label'));
		if (e.labels && e.labels.length > 0) {
			return squash([...e.labels].map(label => {
				const copy = label.cloneNode(true);
				copy.querySelectorAll('input, select, textarea, button').forEach(control => control.remove());
				return copy.textContent;
			}).join(' '));
		}
		if (e.tagName === 'DD') {
			let term = e.previousElementSibling;
			while (term && term.tagName !== 'DT') term = term.previousElementSibling;
			return squash(term?.textContent);
		}
		return squash(e.textContent);
	};
	const implicit = {BUTTON: 'button', A: 'link', FORM: 'form', SELECT: 'combobox', TABLE: 'table', DD: 'definition', TEXTAREA: 'textbox'};
	const roleOf = e => {
		if (e.hasAttribute('role')) return e.getAttribute('role');
		if (/^H[1-6]$/.test(e.tagName)) return 'heading';
		if (e.tagName === 'INPUT') {
			const type = (e.getAttribute('type') || 'text').toLowerCase();
			return {checkbox: 'checkbox', radio: 'radio', submit: 'button', button: 'button'}[type] || 'textbox';
		}
		return implicit[e.tagName] || 'generic';
	};
	const fits = (pattern, text) => new RegExp(pattern).test(text);
	const differences = (want, e) => {
		const found = [];
		const differs = (expected, seen) => found.push({expected, found: seen});
		if (want.tag && e.tagName.toLowerCase() !== want.tag) differs('the tag ' + want.tag, 'the tag ' + e.tagName.toLowerCase());
		if (want.role && roleOf(e) !== want.role) differs('the role ' + want.role, 'the role ' + roleOf(e));
		if (getComputedStyle(e).visibility !== 'visible') differs('an element that is seen', 'one that is made invisible');
		if (want.text?.length && !want.text.includes(squash(e.textContent))) differs('the text ' + oneOf(want.text), shape(e.textContent));
		if (want.matches && !fits(want.matches, squash(e.textContent))) differs('a text of the form ' + want.matches, shape(e.textContent));
		if (want.label?.length && !want.label.includes(nameOf(e))) differs('the label ' + oneOf(want.label), shape(nameOf(e)));
		for (const [name, pattern] of Object.entries(want.attributes || {})) {
			const value = e.getAttribute(name) || '';
			if (!fits(pattern, value)) differs('the attribute ' + name + ' of the form ' + pattern, shape(value));
		}
		if (want.value && !fits(want.value, e.value || '')) differs('a value of the form ' + want.value, shape(e.value));
		if (want.enabled && (e.disabled || e.readOnly || e.getAttribute('aria-disabled') === 'true')) differs('an element that is ready', 'one that is disabled');
		if (want.within && document.querySelector(want.within) && !e.parentElement?.closest(want.within)) differs('it within ' + want.within_name, 'it outside');
		if (want.before) {
			const others = [...document.querySelectorAll(want.before)];
			const next = others.find(isShown) || others[0];
			if (next && !(e.compareDocumentPosition(next) & Node.DOCUMENT_POSITION_FOLLOWING)) differs('it before ' + want.before_name, 'it behind');
		}
		if (want.alone && ![...document.querySelectorAll(want.alone)].some(isShown)) {
			const beside = squash([...e.parentElement.childNodes].filter(node => node !== e).map(node => node.textContent).join(' '));
			if (beside !== '') differs('nothing beside it', shape(beside));
		}
		if (want.controls?.length) {
			for (const control of e.querySelectorAll('input, select, textarea')) {
				if (want.controls.some(selector => control.matches(selector))) continue;
				const set = control.type === 'checkbox' || control.type === 'radio' ? control.checked : control.value !== '';
				if (set) differs('no field with a value but those of the profile', 'another ' + control.tagName.toLowerCase() + ' with a value');
			}
		}
		if (want.headers?.length) {
			const cells = [...e.querySelectorAll('thead th')].map(cell => squash(cell.textContent).toLowerCase());
			for (const header of want.headers) {
				const times = cells.filter(cell => cell === header.toLowerCase()).length;
				if (times !== 1) differs('one column "' + header + '"', times === 0 ? 'none among ' + cells.length + ' columns' : String(times));
			}
		}
		return found;
	};
	const language = (document.documentElement.getAttribute('lang') || '').toLowerCase();
	const spoken = ask.languages.some(l => language === l.toLowerCase() || language.startsWith(l.toLowerCase() + '-'));
	const findings = [{
		element: 'language', verdict: spoken ? 'as expected' : 'differs',
		expected: spoken ? '' : 'the language ' + oneOf(ask.languages), found: spoken ? '' : shape(language),
	}];
	for (const want of ask.elements) {
		const all = [...document.querySelectorAll(want.selector)];
		const shown = want.presence === 'there' ? all : all.filter(isShown);
		const finding = (verdict, expected, found) => findings.push({element: want.title, verdict, expected, found});
		if (shown.length === 0 && want.presence === 'maybe') finding('as expected', '', '');
		else if (shown.length === 0) finding('missing', 'one ' + want.selector, all.length === 0 ? 'none' : all.length + ', none of them shown');
		else if (shown.length > 1) finding('differs', 'one ' + want.selector, shown.length + ' of them');
		else {
			const found = differences(want, shown[0]);
			if (found.length === 0) finding('as expected', '', '');
			else finding('differs', found.map(d => d.expected).join(' and '), found.map(d => d.found).join(' and '));
		}
	}
	return findings;
}`
