package portal

import (
	"archive/zip"
	"bytes"
	"net/http"
	"strings"
)

func exportMutations() []Mutation {
	link := `<a class="button primary" data-role="download" href="/downloads/`
	return []Mutation{
		inScript("swapped", "export items swapped", `item('export-csv', 'Export to CSV', start('csv'))`, `item('export-csv', 'Export to CSV', start('xlsx'))`),
		inScript("swapped", "texts of the export items swapped", `item('export-csv', 'Export to CSV'`, `item('export-csv', 'Print'`),
		inScript("translated", "export item in French", `'Export to CSV'`, `'Exporter en CSV'`),
		inScript("renamed", "export item deletes", `item('export-csv', 'Export to CSV'`, `item('export-csv', 'Delete these rows'`),
		inScript("removed", "no export to CSV", `item('export-csv', 'Export to CSV', start('csv')),`, ``),
		inScript("translated", "three dots with another label", `'aria-label': 'More actions'`, `'aria-label': 'Aktionen'`),
		inScript("removed", "menu that does not open", `items.hidden = !opens;`, ``),
		inScript("moved", "export in the same tab", `target: '_blank', rel: 'opener'`, `rel: 'opener'`),
		inScript("doubled", "export in two tabs", `tab.click();`, `tab.click(); const other = h('a', {href: '/admin', target: '_blank', rel: 'opener'}); document.body.append(other); other.click(); other.remove();`),
		inHTML("renamed", "link to the file renamed", `data-role="download" href`, `data-role="get" href`),
		inHTML("translated", "link to the file in German", `">Download</a>`, `">Herunterladen</a>`),
		inHTML("renamed", "link that deletes the file", `">Download</a>`, `">Delete</a>`),
		inHTML("doubled", "two links to files", link, `<a data-role="download" href="/downloads/old.csv">Download</a>`+link),
		inHTML("retyped", "button in the place of the link", link, `<a class="button primary" role="button" data-role="download" href="/downloads/`),
		inHTML("route", "link to another host", link, `<a class="button primary" data-role="download" href="http://files.example.test/`),
		inHTML("other report", "link to something else", link, `<a class="button primary" data-role="download" href="/admin?file=`),
		inHTML("other report", "preview of other columns", `<th scope="col">Total</th>`, `<th scope="col">Diagnosis</th>`),
		inHTML("delayed", "a wait that does not end", `answer.state === 'ready'`, `answer.state === 'done'`),
		inHTML("delayed", "a slower wait", `setTimeout(ask, 150)`, `setTimeout(ask, 400)`).harmless(),
		inHTML("translated", "wait in other words", `Putting your file together`, `Un instant`).harmless(),
		inHTML("removed", "preview without rows", `<tbody>`, `<tbody hidden>`).harmless(),
		{Name: "export of another report", Class: "other report", rewrite: func(r *http.Request, a *answer) bool {
			return strings.HasPrefix(r.URL.Path, "/downloads/") && strings.HasSuffix(r.URL.Path, "/status") && a.replace("_sales_", "_claims_")
		}},
	}
}

func downloadMutations() []Mutation {
	typed := func(name, contentType string) Mutation {
		return inFile("media type", name, func(a *answer) { a.header.Set("Content-Type", contentType) })
	}
	named := func(name, old, now string) Mutation {
		return inFile("renamed", name, func(a *answer) {
			a.header.Set("Content-Disposition", strings.ReplaceAll(a.header.Get("Content-Disposition"), old, now))
		})
	}
	return []Mutation{
		typed("file as JSON", "application/json"),
		typed("file as a page", "text/html"),
		typed("file as PDF", "application/pdf"),
		typed("file as an Excel sheet that it is not", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
		typed("file as bytes", "application/octet-stream").harmless(),
		inFile("media type", "a page in place of the file", func(a *answer) { a.body = []byte("<!doctype html><title>Sign in</title>") }),
		inFile("media type", "JSON in place of the file", func(a *answer) { a.body = []byte(`{"rows":[]}`) }),
		inFile("zipped", "file zipped", func(a *answer) {
			var packed bytes.Buffer
			z := zip.NewWriter(&packed)
			w, err := z.Create("report.csv")
			if err == nil {
				_, _ = w.Write(a.body)
			}
			_ = z.Close()
			a.body = packed.Bytes()
		}),
		inFile("count", "empty file", func(a *answer) { a.body = nil }),
		inFile("count", "half a file", func(a *answer) { a.body = a.body[:len(a.body)/2] }),
		inFile("count", "file without its last row", func(a *answer) {
			text := bytes.TrimRight(a.body, "\r\n")
			a.body = text[:bytes.LastIndexByte(text, '\n')+1]
		}),
		named("file of another clinic", "harbour-street", "lake-road"),
		named("file of another range", "_2025", "_2024"),
		named("file with another ending", ".csv", ".xlsx"),
		named("file of another report by its name", "_sales_", "_claims_"),
		inFile("removed", "file without a name", func(a *answer) { a.header.Set("Content-Disposition", "attachment") }),
		inFile("removed", "file shown in place", func(a *answer) { a.header.Set("Content-Disposition", "inline") }),
	}
}

func frameMutations() []Mutation {
	wrap := func(class, name, js string) Mutation {
		return inScript(class, name, "const root = document.getElementById('app');", js)
	}
	return []Mutation{
		wrap("shadow DOM", "application in a shadow tree", "const host = document.getElementById('app'); const root = host.attachShadow({mode: 'open'}).appendChild(document.createElement('div'));"),
		wrap("iframe", "application in a frame", "const frame = document.createElement('iframe'); document.getElementById('app').append(frame); const root = frame.contentDocument.body;"),
		inPage("shadow DOM", "filters in a shadow tree", `all('form[data-role=filters]').forEach(e => { const host = document.createElement('div'); once(host); e.replaceWith(host); host.attachShadow({mode: 'open'}).append(e); })`),
		inPage("iframe", "a second application in a frame", `if (once(document.body)) { const f = document.createElement('iframe'); f.srcdoc = '<h1>Sales</h1><span data-role="count">1 of 1</span>'; document.body.append(f); }`).harmless(),
		inPage("overlay", "an overlay over everything", `if (once(document.body)) { const o = document.createElement('div'); o.style.cssText = 'position:fixed;inset:0;background:#fffc;z-index:9'; o.textContent = 'What is new'; document.body.append(o); }`).harmless(),
		inPage("overlay", "a question before everything", `if (once(document.body)) { const o = document.createElement('dialog'); o.innerHTML = '<p role="alert">Your subscription ends soon</p><button>OK</button>'; document.body.append(o); o.showModal(); }`),
		inPage("overlay", "a form that stands in front of the filters", `all('form[data-role=filters]').forEach(e => { const copy = document.createElement('form'); once(copy); copy.dataset.role = 'filters'; copy.innerHTML = '<button data-role="apply">Apply</button>'; e.before(copy); })`),
		inHTML("translated", "pages in German", `<html lang="en">`, `<html lang="de">`),
		inHTML("translated", "pages in French Canadian", `<html lang="en">`, `<html lang="fr-CA">`),
		inHTML("removed", "pages in no language", `<html lang="en">`, `<html>`),
		inHTML("translated", "pages in Canadian English", `<html lang="en">`, `<html lang="en-CA">`).harmless(),
	}
}

func harmlessMutations() []Mutation {
	all := []Mutation{
		inPage("added", "a banner about cookies", `if (once(document.body)) { const o = document.createElement('div'); o.innerHTML = '<p>Cookies</p><button>Accept</button>'; document.body.prepend(o); }`),
		inPage("added", "a chat in the corner", `if (once(document.body)) { const o = document.createElement('aside'); o.innerHTML = '<input name="message"><button>Send</button>'; document.body.append(o); }`),
		inScript("added", "a box to stay signed in", `[nameField, wordField, button('Sign in')]`, `[nameField, wordField, h('label', {}, h('input', {type: 'checkbox'}), 'Stay signed in'), button('Sign in')]`),
		inScript("added", "another way to sign in", `messages, form));`, `messages, form, h('a', {href: '#sso'}, 'Sign in with a company account')));`),
		inScript("added", "an account screen with more on it", `['manage-shifts', 'Manage Shifts']];`, `['manage-shifts', 'Manage Shifts'], ['username', 'Shown as']];`),
		inScript("reordered", "switches in another order", `['access-billing', 'Access Billing'], ['access-charts', 'Access Charts'], ['manage-shifts', 'Manage Shifts']`, `['manage-shifts', 'Manage Shifts'], ['access-charts', 'Access Charts'], ['access-billing', 'Access Billing']`),
		inScript("renamed", "other classes", `class: 'filters'`, `class: 'f-1x2y3z'`),
		inScript("moved", "filters in another box", `range.element, place.element, staff.element,`, `h('div', {class: 'row'}, h('div', {}, range.element), place.element, staff.element),`),
		inScript("reordered", "location behind staff", `range.element, place.element, staff.element,`, `range.element, staff.element, place.element,`),
		inScript("added", "a search box in the filters", `range.element, place.element, staff.element,`, `range.element, place.element, staff.element, h('label', {}, 'Search', h('input', {name: 'q'})),`),
		inScript("added", "more in the menu", `item('print', 'Print'`, `item('schedule', 'Send every week', () => {}), item('print', 'Print'`),
		inScript("reordered", "menu the other way round", `item('export-xlsx', 'Export to Excel', start('xlsx')),
    item('export-csv', 'Export to CSV', start('csv')),`, `item('export-csv', 'Export to CSV', start('csv')),
    item('export-xlsx', 'Export to Excel', start('xlsx')),`),
		inScript("added", "a chart above the rows", `tableOf(answer.headers, answer.rows),`, `h('svg', {role: 'img', 'aria-label': 'Sales by day'}), tableOf(answer.headers, answer.rows),`),
		inScript("removed", "shortcuts for dates gone", `h('button', {type: 'button', onclick: () => monthOf(-1)}, 'Month before')`, `null`),
		inScript("added", "navigation with more in it", `link('#reports', 'Reports'))`, `link('#reports', 'Reports'), link('#insights', 'Insights'))`),
		inScript("delayed", "every call a moment late", `response = await fetch(path, {`, `await new Promise((done) => { setTimeout(done, 60); }); response = await fetch(path, {`),
		inHTML("renamed", "another title", `<title>`, `<title>New · `),
		inHTML("added", "a style more", `</head>`, `<style>main { max-width: 60rem }</style></head>`),
		inHTML("added", "a word of praise on the preview", `<p class="muted">The first rows:</p>`, `<p>Well done!</p><p class="muted">The first rows:</p>`),
	}
	for i := range all {
		all[i].Harmless = true
	}
	return all
}
