package portal

import (
	"fmt"
	"strings"
)

// part is an element that an extractor must rely on: how it is found, and the attribute by which.
type part struct {
	name, selector, attribute string
	// can lists the changes that make sense for it, as letters of changes.
	can string
}

var parts = []part{
	{"user name field", "#auth_key", "id", "nrhdvtmxlk"},
	{"password field", "#password", "id", "nrhdvtmxlk"},
	{"sign-in button", "#log_in", "id", "nrhdvtmwxl"},
	{"account menu", "[data-role=account-menu]", "data-role", "nrhdtl"},
	{"access level", "[data-field=access-level]", "data-field", "nrhdvtwl"},
	{"charts switch", "[data-field=access-charts]", "data-field", "nrhdtwk"},
	{"billing switch", "[data-field=access-billing]", "data-field", "nrhdtwk"},
	{"heading", "main h1", "", "rhdtwl"},
	{"filter form", "form[data-role=filters]", "data-role", "nrhdtml"},
	{"range button", "[data-role=range]", "data-role", "nrhdvtmwxl"},
	{"first date field", "input[name=from]", "name", "nrdvtmxk"},
	{"last date field", "input[name=to]", "name", "nrdvtmxk"},
	{"location filter", "select[name=location]", "name", "nrhdm"},
	{"staff filter", "select[name=staff]", "name", "nrhdm"},
	{"apply button", "[data-role=apply]", "data-role", "nrhdvtmwxlk"},
	{"reset button", "[data-role=reset]", "data-role", "nrhdvtmwxlk"},
	{"row count", "[data-role=count]", "data-role", "nrhdvwlk"},
	{"three dots", "[data-role=menu]", "data-role", "nrhdvtmxl"},
	{"export menu", "[data-role=menu-items]", "data-role", "nrdt"},
	{"export item", "[data-action=export-csv]", "data-action", "nrdvtmwxk"},
	{"download link", "a[data-role=download]", "data-role", "nrhdvtwlk"},
}

// changes are what can happen to an element, by a letter; %[1]s is its selector, %[2]s its attribute.
var changes = []struct {
	letter      byte
	class, verb string
	js          string
	harmless    bool
}{
	{'n', "renamed", "renamed", `all('%[1]s').forEach(e => e.setAttribute('%[2]s', e.getAttribute('%[2]s') + '-v2'))`, false},
	{'r', "removed", "removed", `all('%[1]s').forEach(e => e.remove())`, false},
	{'h', "hidden", "hidden", `all('%[1]s').forEach(e => { e.style.display = 'none'; })`, false},
	{'d', "doubled", "doubled", `all('%[1]s').forEach(e => { const copy = e.cloneNode(true); once(copy); e.after(copy); })`, false},
	{'v', "A/B variant", "beside a variant that does nothing", `all('%[1]s').forEach(e => { const copy = e.cloneNode(true); once(copy); e.before(copy); e.style.display = 'none'; })`, false},
	{'t', "retyped", "of another kind", `all('%[1]s').forEach(e => { const other = document.createElement('article'); for (const a of e.attributes) other.setAttribute(a.name, a.value); other.append(...e.childNodes); once(other); e.replaceWith(other); })`, false},
	{'m', "moved", "moved out of its place", `all('%[1]s').forEach(e => { document.body.prepend(e); })`, false},
	{'w', "translated", "with other words", `all('%[1]s').forEach(e => { e.textContent = 'Schaltfläche'; })`, false},
	{'x', "disabled", "disabled", `all('%[1]s').forEach(e => { e.disabled = true; e.setAttribute('aria-disabled', 'true'); })`, false},
	{'l', "delayed", "a moment late", `all('%[1]s').forEach(e => { const before = e.style.display; e.style.display = 'none'; setTimeout(() => { e.style.display = before; }, 150); })`, true},
	{'k', "hidden double", "beside a hidden copy", `all('%[1]s').forEach(e => { const copy = e.cloneNode(true); once(copy); copy.style.display = 'none'; e.before(copy); })`, false},
}

// elementMutations do to every element what can be done to an element.
func elementMutations() []Mutation {
	var out []Mutation
	for _, p := range parts {
		for _, c := range changes {
			if !strings.Contains(p.can, string(c.letter)) {
				continue
			}
			js := c.js
			if strings.Contains(js, "%[2]s") {
				js = fmt.Sprintf(js, p.selector, p.attribute)
			} else {
				js = fmt.Sprintf(js, p.selector)
			}
			m := inPage(c.class, p.name+" "+c.verb, js)
			m.Harmless = c.harmless
			out = append(out, m)
		}
	}
	return out
}
