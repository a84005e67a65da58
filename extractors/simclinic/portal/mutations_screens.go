package portal

import (
	"net/http"
	"slices"
	"strings"
)

func signInMutations() []Mutation {
	return []Mutation{
		inScript("swapped", "user name and password fields swapped under their labels", `'Username or e-mail', name)`, `'Password', name)`),
		inScript("retyped", "password shown while it is typed", `id: 'password', name: 'password', type: 'password'`, `id: 'password', name: 'password', type: 'text'`),
		inScript("translated", "sign-in button that registers", `button('Sign in')`, `button('Create an account')`),
		inScript("translated", "password asked for in French", `'Password', word)`, `'Mot de passe', word)`),
		inPage("reordered", "button before the fields", `all('#log_in').forEach(e => e.form.prepend(e))`),
		inScript("route", "signing in through another call", `'/api/session', {username`, `'/api/v2/session', {username`),
		inScript("renamed", "password sent under another name", `password: word.value`, `passphrase: word.value`),
		inScript("added", "a secret question sent along", `{username: name.value.trim(),`, `{question: 'pet', username: name.value.trim(),`),
		inScript("added", "a second button to sign in", `h('p', {class: 'muted'}, 'Staff portal'),`, `h('p', {class: 'muted'}, 'Staff portal'), h('button', {type: 'button', id: 'log_in'}, 'Sign in'),`),
	}
}

func accountMutations() []Mutation {
	return []Mutation{
		inScript("swapped", "charts and billing under each other's label", `['access-billing', 'Access Billing'], ['access-charts', 'Access Charts']`, `['access-charts', 'Access Billing'], ['access-billing', 'Access Charts']`),
		inScript("swapped", "shifts and activity under each other's label", `['active', 'Active'],`, `['active', 'Manage Shifts'],`),
		inScript("translated", "access level in German", `['access-level', 'Access level']`, `['access-level', 'Zugriffsstufe']`),
		inAnswer("translated", "switches that say yes and no", "/api/account", `"Off"`, `"No"`),
		inAnswer("retyped", "switches as numbers", "/api/account", `"On"`, `"1"`),
		inAnswer("renamed", "a level that nobody knows", "/api/account", "Administrative / All Billing", "Billing Plus"),
		inAnswer("removed", "no word on charts", "/api/account", `"access-charts"`, `"access-notes"`),
		inScript("route", "account screen at another route", `/^account$/`, `/^me$/`),
	}
}

func reportMutations() []Mutation {
	swapNames := `all('input[name=from]').forEach(e => { const to = document.querySelector('input[name=to]'); once(to); e.name = 'to'; to.name = 'from'; })`
	return []Mutation{
		inScript("swapped", "labels of the dates swapped", `h('label', {}, 'From', from), h('label', {}, 'To', to)`, `h('label', {}, 'To', from), h('label', {}, 'From', to)`),
		inPage("swapped", "names of the dates swapped", swapNames),
		inScript("swapped", "dates swapped when they are applied", `read: () => ({`, `read: () => ({from: to.value.trim(), to: from.value.trim()}), unread: () => ({`),
		inScript("reordered", "last date before the first", `h('label', {}, 'From', from), h('label', {}, 'To', to)`, `h('label', {}, 'To', to), h('label', {}, 'From', from)`),
		inScript("translated", "dates asked for as DD.MM.YYYY", `placeholder: 'YYYY-MM-DD'`, `placeholder: 'TT.MM.JJJJ'`),
		inScript("date form", "range shown as DD/MM/YYYY", "`${filters.from} – ${filters.to}`", "`${filters.from.split('-').reverse().join('/')} – ${filters.to.split('-').reverse().join('/')}`"),
		inScript("date form", "range shown as MM/DD/YYYY", "`${filters.from} – ${filters.to}`", "[filters.from, filters.to].map((d) => d.slice(5).replace('-', '/') + '/' + d.slice(0, 4)).join(' – ')"),
		inScript("date form", "range shown in words", "`${filters.from} – ${filters.to}`", "`${new Date(filters.from).toDateString()} – ${new Date(filters.to).toDateString()}`"),
		inScript("renamed", "range with another dash", "`${filters.from} – ${filters.to}`", "`${filters.from} - ${filters.to}`"),
		inScript("stale", "typed dates that are ignored", `read: () => ({`, `read: () => ({from: '', to: ''}), unread: () => ({`),
		inScript("stale", "last date that is ignored", `to: to.value.trim()})`, `to: ''})`),
		inScript("stale", "range shown as typed, applied another", `const set = await call('PUT', '/api/filters', filters);`, `const set = {...await call('PUT', '/api/filters', {...filters, from: ''}), from: filters.from || '2025-12-01', to: filters.to || '2025-12-31'};`),
		inScript("stale", "reset that keeps the location", `apply({from: '', to: '', location: '', staff: ''})`, `apply({from: '', to: '', location: place.read(), staff: staff.read()})`),
		inScript("stale", "renamed filters that reset keeps", `apply({from: '', to: '', location: '', staff: ''})`, `apply({from: '', to: '', location: place.read(), staff: staff.read()})`).
			and(inScript("", "", `const select = h('select', {name});`, `const select = h('select', {name: 'by-' + name});`)),
		inScript("added", "a filter that nobody knows", `h('button', {type: 'submit', class: 'primary', 'data-role': 'apply'}, 'Apply'),`,
			`h('label', {}, 'Discipline', h('select', {name: 'discipline'}, h('option', {value: 'massage'}, 'Massage'))), h('button', {type: 'submit', class: 'primary', 'data-role': 'apply'}, 'Apply'),`),
		inScript("added", "a tick that hides rows", `h('button', {type: 'submit', class: 'primary', 'data-role': 'apply'}, 'Apply'),`,
			`h('label', {}, h('input', {type: 'checkbox', name: 'open_only', checked: true}), 'Open only'), h('button', {type: 'submit', class: 'primary', 'data-role': 'apply'}, 'Apply'),`),
		inScript("renamed", "a write beside the data called apply", `'data-action': 'record-payment'`, `'data-role': 'apply', 'data-action': 'record-payment'`),
		inScript("renamed", "a write beside the data in the place of apply", `'data-action': 'record-payment'`, `'data-role': 'apply', 'data-action': 'record-payment'`).
			and(inScript("", "", `class: 'primary', 'data-role': 'apply'}`, `class: 'primary', 'data-role': 'apply-filters'}`)),
		inScript("swapped", "apply and reset swapped", `'data-role': 'apply'}, 'Apply'`, `'data-role': 'reset'}, 'Apply'`).
			and(inScript("", "", `{type: 'button', 'data-role': 'reset', onclick`, `{type: 'button', 'data-role': 'apply', onclick`)),
		inScript("other report", "another report behind the route", "const reportScreen = (slug) => {", "const reportScreen = (slug) => {\n  if (slug === 'sales') slug = 'appointments';"),
		inScript("other report", "another report behind the route under the old title", "const reportScreen = (slug) => {", "const reportScreen = (slug) => {\n  if (slug === 'sales') { slug = 'appointments'; boot.reports.find((r) => r.slug === slug).title = 'Sales'; }"),
		inScript("other report", "claims behind the sales call", "`/api/reports/${slug}`", "`/api/reports/${slug === 'sales' ? 'claims' : slug}`"),
		inScript("other report", "another report exported than shown", "{report: slug, format}", "{report: slug === 'sales' ? 'claims' : slug, format}"),
		inAnswer("renamed", "report with a new title", "/", `"title":"Sales"`, `"title":"Revenue"`),
		inAnswer("translated", "report with a translated title", "/", `"title":"Sales"`, `"title":"Verkäufe"`),
		inAnswer("renamed", "appointments with a new title", "/", `"title":"Appointments"`, `"title":"Visits"`).reading("appointments"),
		inScript("stale", "an old result that cannot be refreshed", `'Get a fresh copy')`, `'Get a fresh copy')`).
			and(inAnswer("", "", "/api/reports/", `"cached":false`, `"cached":true`)),
		inScript("renamed", "link to a fresh copy renamed", `'data-role': 'fresh-copy'`, `'data-role': 'refresh'`).twice(),
		inScript("translated", "link to a fresh copy in other words", `'Get a fresh copy'`, `'Neu berechnen'`).twice(),
		inScript("stale", "a fresh copy that is not", "fresh ? '&fresh=1' : ''", "''").twice(),
		inScript("delayed", "busy for ever", `if (stands()) section.removeAttribute('aria-busy');`, ``),
		inScript("removed", "never says that it is busy", `section.setAttribute('aria-busy', 'true');`, ``).harmless(),
		inAnswer("removed", "a report the account lost", "/", `{"slug":"sales","title":"Sales"},`, ``),
	}
}

func countMutations() []Mutation {
	const was = "`${count(answer.rows.length)} of ${count(answer.total)}`"
	count := func(class, name, now string) Mutation { return inScript(class, name, was, now) }
	return []Mutation{
		count("count", "count of this page alone", "`${count(answer.rows.length)} of ${count(answer.rows.length)}`"),
		count("count", "count the other way round", "`${count(answer.total)} of ${count(answer.rows.length)}`"),
		count("count", "one row more than there is", "`${count(answer.rows.length)} of ${count(answer.total + 1)}`"),
		count("count", "one row less than there is", "`${count(Math.min(answer.rows.length, answer.total - 1))} of ${count(answer.total - 1)}`"),
		count("count", "count of pages", "`${answer.page} of ${answer.pages}`"),
		count("count", "count with its first row", "`1–${count(answer.rows.length)} of ${count(answer.total)}`"),
		count("count", "count without its page", "`${count(answer.total)} rows`"),
		count("count", "count in thousands", "`${answer.rows.length} of ${(answer.total / 1000).toFixed(1)}k`"),
		count("count", "count with full stops", "`${answer.rows.length} of ${answer.total.toLocaleString('de-DE')}.0`"),
		count("count", "count with spaces", "`${answer.rows.length} of ${answer.total} 000`"),
		count("translated", "count in German", "`${answer.rows.length} von ${answer.total}`"),
		count("translated", "count in Arabic digits", "`${answer.rows.length.toLocaleString('ar-EG')} of ${answer.total.toLocaleString('ar-EG')}`"),
		count("count", "count that says about", "`${answer.rows.length} of about ${answer.total}`"),
		count("removed", "count left blank", "``"),
		count("delayed", "count zero at first", "'0 of 0'").and(inScript("", "", `if (answer.beside) prefetch(`, `setTimeout(() => { const c = outcome.querySelector('[data-role=count]'); if (c) c.textContent = count(answer.rows.length) + ' of ' + count(answer.total); }, 120); if (answer.beside) prefetch(`)),
		inScript("renamed", "pager in the place of the count", `h('span', {'data-role': 'count', class: 'count'}`, `h('span', {class: 'count'}`).
			and(inScript("", "", "h('span', {class: 'muted'}, `Page ", "h('span', {class: 'muted', 'data-role': 'count'}, `Page ")),
		inScript("translated", "pager in other words", "`Page ${count(answer.page)} of ${count(answer.pages)}`", "`Seite ${answer.page}/${answer.pages}`").harmless(),
		inScript("removed", "no pager", `h('div', {class: 'pager'},`, `h('div', {class: 'pager', hidden: true},`).harmless(),
	}
}

func tableMutations() []Mutation {
	header := func(class, name, old, now string) Mutation {
		return inScript(class, name, "headers.map((header) => h('th', {scope: 'col'}, header))", "headers.map((header) => h('th', {scope: 'col'}, header === '"+old+"' ? '"+now+"' : header))")
	}
	cells := func(class, name, js string) Mutation {
		return inScript(class, name, "headers.map((header) => h('th', {scope: 'col'}, header))", js)
	}
	return []Mutation{
		header("renamed", "column Total renamed", "Total", "Amount"),
		header("renamed", "column Invoice # renamed", "Invoice #", "Document"),
		header("translated", "column Purchase Date translated", "Purchase Date", "Kaufdatum"),
		header("doubled", "column Balance twice", "Collected", "Balance"),
		header("removed", "column Item without a name", "Item", ""),
		cells("shifted", "headers shifted by one", "['', ...headers.slice(1)].map((header) => h('th', {scope: 'col'}, header))"),
		cells("retyped", "headers as plain cells", "headers.map((header) => h('td', {}, header))"),
		cells("removed", "no headers", "[]"),
		cells("reordered", "columns in another order", "[...headers].reverse().map((header) => h('th', {scope: 'col'}, header))").harmless(),
		cells("added", "a column more", "[...headers, 'Loyalty points'].map((header) => h('th', {scope: 'col'}, header))").harmless(),
		cells("renamed", "headers in capitals", "headers.map((header) => h('th', {scope: 'col'}, header.toUpperCase()))").harmless(),
		inScript("retyped", "a grid in the place of the table", "h('table', {},", "h('section', {role: 'grid'},"),
		inScript("doubled", "a second table of totals", "tableOf(answer.headers, answer.rows),", "tableOf(answer.headers, answer.rows), tableOf(['Totals'], []),"),
	}
}

// and joins two changes that come together.
func (m Mutation) and(other Mutation) Mutation {
	first := m.rewrite
	m.texts = append(slices.Clip(m.texts), other.texts...)
	m.rewrite = func(r *http.Request, a *answer) bool {
		one, two := first(r, a), other.rewrite(r, a)
		return one || two
	}
	return m
}

func routeMutations() []Mutation {
	moved := func(name, old, now string) Mutation { return inScript("route", name, old, now) }
	return []Mutation{
		moved("reports at another route", `/^reports\/([a-z_]+)$/`, `/^insights\/([a-z_]+)$/`),
		moved("claims at another route", `/^billing\/claims\/search$/`, `/^billing\/submissions$/`).reading("claims"),
		moved("another call for reports", "`/api/reports/${slug}`", "`/api/v2/reports/${slug}`"),
		moved("another call for filters", "'PUT', '/api/filters'", "'PUT', '/api/v2/filters'"),
		moved("filters sent by POST", "'PUT', '/api/filters'", "'POST', '/api/filters'"),
		moved("filters with a field more", "'PUT', '/api/filters', filters)", "'PUT', '/api/filters', {...filters, share: 'all'})"),
		moved("another call for exports", "'POST', '/api/exports'", "'POST', '/api/v2/exports'"),
		moved("an export with a field more", "{report: slug, format}", "{report: slug, format, notify: 'clinic@example.test'}"),
		moved("an export in another form", "{report: slug, format}", "{report: slug, format: 'pdf'}"),
		moved("files at another address", "`/downloads/${made.id}`", "`/files/${made.id}`"),
		moved("all reports by one call", "`${pathOf(slug)}?page=${page}", "`/api/reports?slug=${slug}&page=${page}"),
		moved("a report with a key more", "?page=${page}", "?page=${page}&tenant=2"),
		{Name: "application at another address", Class: "route", rewrite: func(r *http.Request, a *answer) bool {
			if r.URL.Path != "/admin" {
				return false
			}
			a.status = http.StatusFound
			a.header.Set("Location", "/portal")
			return true
		}},
		{Name: "preview at another address", Class: "route", rewrite: func(r *http.Request, a *answer) bool {
			return a.isHTML() && strings.HasPrefix(r.URL.Path, "/downloads/") && a.replace("/preview`", "/look`")
		}},
		{Name: "call for reports gone", Class: "route", rewrite: func(r *http.Request, a *answer) bool {
			if !strings.HasPrefix(r.URL.Path, "/api/reports/") {
				return false
			}
			a.status, a.body = http.StatusGone, []byte(`{"error":{"code":"gone","message":"This address has moved."}}`)
			return true
		}},
		{Name: "reports answered with a page", Class: "retyped", rewrite: func(r *http.Request, a *answer) bool {
			if !strings.HasPrefix(r.URL.Path, "/api/reports/") {
				return false
			}
			a.header.Set("Content-Type", "text/html")
			a.body = []byte("<html><body>Welcome</body></html>")
			return true
		}},
	}
}
