package jane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// export takes one report out of the portal.
func (r *run) export(ctx context.Context, e export, event Event) (extractors.Report, error) {
	event.Step = OpenReport
	r.cfg.Progress(event)
	rows, err := r.show(ctx, e)
	if err != nil {
		return extractors.Report{}, err
	}
	event.Step, event.Rows = AwaitExport, rows
	r.cfg.Progress(event)
	file, err := r.fetch(ctx, e)
	if err != nil {
		return extractors.Report{}, err
	}
	if err := r.checkFileName(file.Name, e.Name); err != nil {
		return extractors.Report{}, err
	}
	if err := r.checkName(file.Name, e); err != nil {
		return extractors.Report{}, err
	}
	if err := checkWhole(file.Body, rows); err != nil {
		return extractors.Report{}, err
	}
	if clinic := r.profile.clinicOf(file.Name, e); clinic != "" && r.portal.remembered().Files == "" {
		r.portal.keep(func(k *kept) { k.Files = clinic })
	}
	event.Step, event.Bytes = Downloaded, len(file.Body)
	r.cfg.Progress(event)
	return extractors.Report{
		Name: file.Name, Body: file.Body, Order: e.order.ID(), Dataset: e.Dataset, Range: e.order.Window, Complete: true,
		ObservedOn: r.cfg.ObservedOn, StatedRows: rows,
	}, nil
}

// fetch starts the export of the report on the screen, follows it through its own tab, and closes that tab.
func (r *run) fetch(ctx context.Context, e export) (file browser.Export, err error) {
	s := r.profile.Screen
	r.session.Enter(stageExport)
	if err := r.main.click(ctx, s.Menu); err != nil {
		return file, err
	}
	if err := r.checkContract(ctx, r.main, screenMenu, e.Name); err != nil {
		return file, err
	}
	tab, err := r.tabAfter(ctx, r.profile.Export.Formats[r.cfg.Format].Item)
	if err != nil {
		return file, err
	}
	defer func() {
		if closing := r.session.CloseTabs(context.WithoutCancel(ctx), r.main.page); closing != nil && err == nil {
			err = closing
		}
	}()
	if err := r.awaitPreview(ctx, tab); err != nil {
		return file, err
	}
	if err := r.checkContract(ctx, tab, screenExport, e.Name); err != nil {
		return file, err
	}
	shown, err := r.shownName(ctx, tab, e)
	if err != nil {
		return file, err
	}
	if file, err = r.download(ctx, tab); err == nil && shown != "" && shown != file.Name {
		err = fail(extractors.ExportIncomplete, "", errors.New("the file is not the one that was announced"))
	}
	return file, err
}

// shownName checks the file's name that the preview shows, before the file is asked for, and returns it; empty where it
// shows none.
func (r *run) shownName(ctx context.Context, tab *screen, e export) (string, error) {
	seen, err := tab.look(ctx, r.profile.Export.FileName)
	if err != nil || seen.shown != 1 {
		return "", err
	}
	return seen.text, r.checkName(seen.text, e)
}

// tabAfter clicks something and returns the tab that it opens.
func (r *run) tabAfter(ctx context.Context, selector string) (*screen, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	type opened struct {
		tab *screen
		err error
	}
	next := r.session.NextTab(watching)
	result := make(chan opened, 1)
	go func() {
		page, err := next()
		result <- opened{&screen{page: page, run: r}, err}
	}()
	err := r.main.click(ctx, selector)
	if err == nil {
		var got *opened
		err = r.main.until(ctx, r.timeouts.Element,
			func() string { return fmt.Sprintf("another tab after a click on %s", selector) },
			func(context.Context) (bool, error) {
				select {
				case o := <-result:
					got = &o
					return true, nil
				default:
					return false, nil
				}
			})
		if err == nil {
			if got.err == nil {
				got.err = r.attend(ctx, got.tab)
			}
			return got.tab, got.err
		}
	}
	stop()
	<-result
	return nil, err
}

// awaitPreview waits, in the export's tab, for the page that links to the file.
func (r *run) awaitPreview(ctx context.Context, tab *screen) error {
	var place string
	return tab.until(ctx, r.timeouts.Export,
		func() string { return fmt.Sprintf("one element %s on the export's page", r.profile.Export.Link) },
		func(ctx context.Context) (bool, error) {
			var err error
			if place, err = tab.place(ctx); err != nil {
				return false, err
			}
			path, _, _ := strings.Cut(place, "#")
			switch {
			case path == r.profile.App:
				// Who is not signed in is sent to the application's front page.
				return false, fail(extractors.SessionExpired, "", nil)
			case !r.profile.previewPath.MatchString(path):
				return false, nil
			}
			link, err := tab.look(ctx, r.profile.Export.Link)
			return err == nil && link.shown == 1, err
		})
}

// downloads is how often a file is asked for. A page in its place, which occurs, is gone the next time.
const downloads = 3

// download clicks the link until a file comes.
func (r *run) download(ctx context.Context, tab *screen) (file browser.Export, err error) {
	for range downloads {
		if file, err = r.take(ctx, tab); err != nil {
			return file, err
		}
		if err = r.checkFile(file); err == nil {
			return file, nil
		}
		if file.MediaType == "text/html" {
			// Of a page in a file's place the portal does not say that it was downloaded.
			r.accesses.noFile(r.downloads)
		}
	}
	return file, err
}

// take clicks the link and takes what the browser gets.
func (r *run) take(ctx context.Context, tab *screen) (browser.Export, error) {
	capture, err := r.session.Capture()
	if err != nil {
		return browser.Export{}, err
	}
	defer capture.Cancel()
	if err := r.askForFile(ctx, tab); err != nil {
		return browser.Export{}, err
	}
	r.downloads++
	bounded, cancel := context.WithTimeout(ctx, r.timeouts.Download)
	defer cancel()
	file, err := capture.Wait(bounded)
	switch {
	case err == nil && file.Status == 200:
		return file, nil
	case err == nil:
		cause := r.profile.refusalOf(string(file.Body))
		if cause == "" {
			cause = causeOf(browser.Answer{Status: file.Status})
		}
		switch {
		case cause == "" && file.Status/100 == 3:
			// Who is not signed in is sent to the application's front page.
			cause = extractors.SessionExpired
		case cause == "":
			cause = extractors.ExportIncomplete
		}
		refusal := fail(cause, "", fmt.Errorf("the portal answered %d in place of the file", file.Status))
		refusal.After = retryAfter(file.RetryAfter, dateOr(file.Date, r.cfg.Clock()))
		return file, refusal
	case ctx.Err() != nil:
		return file, context.Cause(ctx)
	case errors.Is(err, browser.ErrTooLarge) || errors.Is(err, browser.ErrCutShort):
		return file, fail(extractors.ExportIncomplete, "", err)
	case bounded.Err() != nil:
		return file, fail(extractors.Network, "", fmt.Errorf("the file did not come within %v", r.timeouts.Download.Round(time.Second)))
	default:
		return file, err
	}
}

// askForFile clicks the link until the file is asked for. Chromium ignores a click on a link that it is just following,
// and it takes it a moment to notice that the file asked for before was taken out of its hands.
func (r *run) askForFile(ctx context.Context, tab *screen) error {
	purpose := r.profile.downloadPurpose()
	before := r.session.Ledger().Sent(purpose)
	looks := 0
	return tab.until(ctx, r.timeouts.Element,
		func() string { return fmt.Sprintf("a request for the file after a click on %s", r.profile.Export.Link) },
		func(ctx context.Context) (bool, error) {
			if r.session.Ledger().Sent(purpose) > before {
				return true, nil
			}
			looks++
			if looks%8 != 1 {
				return false, nil
			}
			_, err := tab.ask(ctx, clickScript, r.profile.Export.Link)
			return false, err
		})
}

// zipMagic begins every XLSX file.
var zipMagic = []byte("PK\x03\x04")

// checkFile refuses what is not a file of the kind that was asked for: by its declared type and by its first bytes. What
// is in it is the reader's to judge.
func (r *run) checkFile(file browser.Export) error {
	format := r.profile.Export.Formats[r.cfg.Format]
	start := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(file.Body, []byte("\xef\xbb\xbf")), " \t\r\n"))
	isZip := bytes.HasPrefix(file.Body, zipMagic)
	switch {
	case len(file.Body) == 0:
		return fail(extractors.ExportIncomplete, "", errors.New("the file is empty"))
	case file.MediaType == "text/html" || bytes.HasPrefix(start, []byte("<")):
		return fail(extractors.ExportIncomplete, "", errors.New("the portal sent a page in place of the file"))
	case !slices.Contains(format.MediaTypes, file.MediaType):
		return fail(extractors.PageChanged, "", fmt.Errorf("expected a file of type %s, the portal sent another", strings.Join(format.MediaTypes, " or ")))
	case isZip != (r.cfg.Format == "xlsx"):
		return fail(extractors.ExportIncomplete, "", fmt.Errorf("the file's first bytes are not those of %s", r.cfg.Format))
	}
	return nil
}

// checkName compares the range in a file's name, where there is one, with the range that was asked for, and the clinic, as
// far as it is known how the names of this clinic's files begin: from the first file that was right.
func (r *run) checkName(name string, e export) error {
	found := r.profile.fileRange.FindStringSubmatch(name)
	if found == nil {
		return nil
	}
	compact := strings.NewReplacer("-", "")
	if found[1] != compact.Replace(e.order.Window.From.String()) || found[2] != compact.Replace(e.order.Window.To.String()) {
		return fail(extractors.ExportIncomplete, "", fmt.Errorf("the file is about %s..%s", found[1], found[2]))
	}
	ours, clinic := r.portal.remembered().Files, r.profile.clinicOf(name, e)
	if ours != "" && clinic != "" && clinic != ours {
		f := fail(extractors.ExportIncomplete, "", errors.New("the file is named like another clinic's"))
		f.Hint = "Nothing of it was taken. If the clinic has a new name, connect it anew; else report this to the portal's makers at once"
		return f
	}
	return nil
}

// clinicOf is how a file's name begins, before report and range; empty where the name is not built so.
func (p *Profile) clinicOf(name string, e export) string {
	at := p.fileRange.FindStringIndex(name)
	if at == nil {
		return ""
	}
	clinic, ok := strings.CutSuffix(name[:at[0]], "_"+e.Name)
	if !ok {
		return ""
	}
	return clinic
}
