package portal

import (
	"fmt"
	"net/http"
	"strings"
)

// showDownload serves two things that share an address, as the real ones do: the wait page of an export by its id, and
// the bytes of a finished file by its name.
func (p *Portal) showDownload(w http.ResponseWriter, r *http.Request) {
	s, found, ok := p.ownExport(w, r)
	if !ok {
		return
	}
	if r.PathValue("name") == found.id {
		p.page(w, http.StatusOK, "wait.html", map[string]string{"ID": found.id})
		return
	}
	if p.faults.nextDownloadIsPage() {
		p.previewOf(w, found)
		return
	}
	p.record(s.username, Entry{Action: ActionDownloaded, Subject: found.file})
	contentType := "text/csv; charset=utf-8"
	if found.format == "xlsx" {
		contentType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, found.file))
	w.Header().Set("Content-Length", fmt.Sprint(len(found.body)))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(found.body)
}

func (p *Portal) showDownloadStatus(w http.ResponseWriter, r *http.Request) {
	_, found, ok := p.ownExport(w, r)
	if !ok {
		return
	}
	status := map[string]string{"state": found.state}
	if found.state == exportReady {
		status["file"] = found.file
	}
	p.answer(w, status)
}

func (p *Portal) showPreview(w http.ResponseWriter, r *http.Request) {
	s, found, ok := p.ownExport(w, r)
	if !ok {
		return
	}
	p.record(s.username, Entry{Action: ActionPreviewed, Subject: found.file})
	p.previewOf(w, found)
}

func (p *Portal) previewOf(w http.ResponseWriter, found export) {
	head := headOf(found.table)
	shown := found.file
	if found.fault == ExportOtherPreview {
		shown = "elsewhere_" + shown[strings.IndexByte(shown, '_')+1:]
	}
	p.page(w, http.StatusOK, "preview.html", map[string]any{
		"File": found.file, "Shown": shown, "Headers": head.Headers, "Rows": p.results.current().printed(head, head.Rows),
	})
}

// ownExport finds the export the path names. Other people's exports do not exist for an account.
func (p *Portal) ownExport(w http.ResponseWriter, r *http.Request) (session, export, bool) {
	s, _, ok := p.signedIn(w, r)
	if !ok {
		return session{}, export{}, false
	}
	found, ok := p.exports.find(r.PathValue("name"))
	if !ok || found.account != s.username {
		p.refuse(w, r, refusedUnknown)
		return session{}, export{}, false
	}
	return s, found, true
}
