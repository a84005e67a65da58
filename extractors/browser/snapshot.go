package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"
	"golang.org/x/net/html"
)

// A Snapshot is how a page looked, without what it said: every letter is an x, every digit a 9, pictures are grey boxes.
type Snapshot struct {
	// PNG is a picture of the page's shape.
	PNG []byte
	// Skeleton is the tree of the page's elements, one a line: tag, role, id, classes and data attributes, of which the
	// words that the profile knows are spelt out.
	Skeleton []byte
}

//go:embed snapshot.js
var snapshotScript string

// shaped is what the script in the page returns: the page in shapes.
type shaped struct {
	HTML     string `json:"html"`
	Skeleton string `json:"skeleton"`
}

// ErrUnscrubbed says that a page's shape held more than shapes, so that no snapshot was made.
var ErrUnscrubbed = errors.New("the page's shape holds more than shapes")

// Snapshot takes a picture of a page for diagnosis. The page is turned into shapes inside itself, by a script in a world
// of its own that the page's scripts can't reach, and only the shapes leave it; the picture is taken of those, in a tab of
// its own that runs no scripts. The page stays as it is.
func (s *Session) Snapshot(ctx context.Context, page *rod.Page) (Snapshot, error) {
	shapes, err := s.shapes(ctx, page)
	if err != nil {
		return Snapshot{}, s.cause(ctx, fmt.Errorf("turning the page into shapes: %w", err))
	}
	png, err := s.draw(ctx, shapes.HTML)
	if err != nil {
		return Snapshot{}, s.cause(ctx, fmt.Errorf("drawing the page's shape: %w", err))
	}
	return Snapshot{PNG: png, Skeleton: []byte(shapes.Skeleton)}, nil
}

func (s *Session) shapes(ctx context.Context, page *rod.Page) (*shaped, error) {
	page = page.Context(ctx)
	world, err := proto.PageCreateIsolatedWorld{FrameID: page.FrameID, WorldName: "falloff"}.Call(page)
	if err != nil {
		return nil, err
	}
	known := s.vocabulary()
	given, err := json.Marshal(known)
	if err != nil {
		return nil, err
	}
	result, err := proto.RuntimeEvaluate{
		Expression: "(" + snapshotScript + ")(" + string(given) + ")", ContextID: world.ExecutionContextID, ReturnByValue: true,
	}.Call(page)
	switch {
	case err != nil:
		return nil, err
	case result.ExceptionDetails != nil:
		// Its text may quote the page.
		return nil, errors.New("the script failed")
	}
	shapes := &shaped{}
	if err := json.Unmarshal([]byte(result.Result.Value.JSON("", "")), shapes); err != nil {
		return nil, err
	}
	return shapes, known.check(shapes)
}

// draw takes a picture of shapes in a tab that can load nothing and run nothing.
func (s *Session) draw(ctx context.Context, shapes string) (png []byte, err error) {
	tab, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		closing := proto.TargetCloseTarget{TargetID: tab.TargetID}
		if _, failed := closing.Call(s.rod.Context(context.WithoutCancel(ctx))); failed != nil && err == nil {
			err = failed
		}
	}()
	tab = tab.Context(ctx)
	document := proto.PageSetDocumentContent{
		FrameID: tab.FrameID,
		HTML: `<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">` +
			`<style>body{margin:0;font-family:monospace}</style>` + shapes,
	}
	if err := document.Call(tab); err != nil {
		return nil, err
	}
	picture, err := proto.PageCaptureScreenshot{Format: proto.PageCaptureScreenshotFormatPng}.Call(tab)
	if err != nil {
		return nil, err
	}
	return picture.Data, nil
}

// A vocabulary is every word that a snapshot may spell out.
type vocabulary struct {
	// Words are the profile's.
	Words  []string `json:"words"`
	Tags   []string `json:"tags"`
	Roles  []string `json:"roles"`
	Types  []string `json:"types"`
	States []string `json:"states"`
	// Styles are the properties of which a picture is made. None takes a word that a page can make up.
	Styles []string `json:"styles"`
}

func (s *Session) vocabulary() *vocabulary {
	return &vocabulary{
		Words: s.knownWords(),
		Tags: strings.Fields("a abbr address article aside audio b blockquote body br button canvas caption cite code col colgroup dd del " +
			"details dialog div dl dt em embed fieldset figcaption figure footer form frame h1 h2 h3 h4 h5 h6 header hr html i iframe img " +
			"input ins kbd label legend li main map mark menu meter nav object ol optgroup option output p picture pre progress q s " +
			"section select slot small span strong sub summary sup svg table tbody td textarea tfoot th thead time tr u ul var video"),
		Roles: strings.Fields("alert alertdialog banner button cell checkbox columnheader combobox dialog document form grid gridcell group " +
			"heading img link list listbox listitem main menu menubar menuitem navigation none note option presentation progressbar radio " +
			"radiogroup region row rowgroup rowheader search searchbox separator status switch tab table tablist tabpanel textbox timer " +
			"toolbar tooltip tree treeitem"),
		Types: strings.Fields("button checkbox color date datetime-local email file hidden image month number password radio range reset search " +
			"submit tel text time url week"),
		States: strings.Fields("aria-busy aria-checked aria-disabled aria-expanded aria-hidden aria-invalid aria-modal aria-pressed aria-selected"),
		Styles: strings.Fields("display position box-sizing width height min-width min-height max-width max-height margin-top margin-right " +
			"margin-bottom margin-left padding-top padding-right padding-bottom padding-left top right bottom left float clear z-index " +
			"flex-direction flex-wrap flex-grow flex-shrink flex-basis order justify-content align-items align-self row-gap column-gap " +
			"grid-template-columns grid-template-rows overflow-x overflow-y visibility opacity transform color background-color " +
			"border-top-width border-right-width border-bottom-width border-left-width border-top-style border-right-style " +
			"border-bottom-style border-left-style border-top-color border-right-color border-bottom-color border-left-color " +
			"border-top-left-radius border-collapse font-size font-weight line-height text-align text-decoration-line vertical-align " +
			"white-space word-break text-overflow"),
	}
}

var (
	// shapeOnly is a text without anything but shapes, blanks and the punctuation of ASCII.
	shapeOnly = regexp.MustCompile("^[xX9\\s!-/:-@\\[-`{-~]*$")
	// styleOnly is a style made of plain values.
	styleOnly = regexp.MustCompile(`^([a-z0-9-]+:[a-z0-9 (),.%#/-]+;?)*$`)
	// skeletonWord is a word in a skeleton, and shapedWord one that says nothing.
	skeletonWord = regexp.MustCompile(`[^\s!-,./:-@\[-^{-~` + "`" + `]+`)
	shapedWord   = regexp.MustCompile(`^[xX9_-]+$`)
)

// check looks over what came out of the page a second time, knowing nothing of how it was made.
func (v *vocabulary) check(s *shaped) error {
	known := map[string]bool{"custom": true, "aria": true, "data": true, "value": true, "href": true, "role": true, "type": true, "name": true, "disabled": true, "true": true, "false": true}
	for _, list := range [][]string{v.Words, v.Tags, v.Roles, v.Types, v.States} {
		for _, word := range list {
			known[word] = true
		}
	}
	for _, word := range skeletonWord.FindAllString(s.Skeleton, -1) {
		if !known[word] && !shapedWord.MatchString(word) {
			return ErrUnscrubbed
		}
	}
	tokens := html.NewTokenizer(strings.NewReader(s.HTML))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return nil
		case html.TextToken:
			if !shapeOnly.Match(tokens.Text()) {
				return ErrUnscrubbed
			}
		case html.StartTagToken, html.EndTagToken:
			token := tokens.Token()
			if token.Data != "div" && token.Data != "br" {
				return ErrUnscrubbed
			}
			for _, attribute := range token.Attr {
				if attribute.Key != "style" || !styleOnly.MatchString(attribute.Val) || strings.Contains(attribute.Val, "url(") {
					return ErrUnscrubbed
				}
			}
		default:
			return ErrUnscrubbed
		}
	}
}

// selectorWord is a word in a selector, or in a path.
var selectorWord = regexp.MustCompile(`[A-Za-z][A-Za-z0-9_-]*`)

// knownWords are those of the profile, in the order of the alphabet.
func (s *Session) knownWords() []string {
	known := map[string]bool{}
	for word := range s.referee.policy.words {
		known[word] = true
	}
	for _, selector := range s.cfg.Selectors {
		for _, word := range selectorWord.FindAllString(selector, -1) {
			known[word] = true
		}
	}
	var list []string
	for word := range known {
		if selectorWord.FindString(word) == word {
			list = append(list, word)
		}
	}
	slices.Sort(list)
	return list
}
