package tabular

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// xmlScanner walks the XML of one workbook part. It knows as much XML as spreadsheets use: elements, attributes, text,
// character references, CDATA, comments; no document type, so that no entity can be declared. It is ours and not
// encoding/xml because a report of 100,000 rows has some ten million tokens, and because text that nobody asks for is
// not copied. Broken XML is an error, never a quiet end.
//
// The part is unpacked as the scanner goes on: a sheet of a gigabyte needs no gigabyte of memory. What the scanner has
// given out stays valid, because more bytes go into new memory, never over old ones.
type xmlScanner struct {
	rest []byte
	// source is where more comes from; nil when rest is all that there is.
	source io.Reader
	// taken is how many bytes the source has given.
	taken int64
	// name is the local name of the current element, attrs its attributes.
	name  []byte
	attrs []attribute
	// closed says that the current start tag closes itself; its end tag comes next.
	closed bool
	// open are the names, prefixes included, of the elements that are open.
	open [][]byte
}

// attribute is one attribute: its local name, and its value with references not yet resolved.
type attribute struct{ name, value []byte }

// token is what the scanner has come to.
type token int

const (
	endOfPart token = iota
	startTag
	endTag
	text
)

const (
	// chunk is how much of a part is unpacked at a time.
	chunk = 256 << 10
	// maxToken is the longest tag or text. A cell holds 32,767 characters at most.
	maxToken = 4 << 20
	// maxDepth is far deeper than any part of a workbook.
	maxDepth = 256
)

var (
	errXML  = errors.New("its XML is broken")
	errDeep = errors.New("its XML is nested too deep")
	errLong = errors.New("its XML holds a text that is too long")
)

// newScanner scans a part that is whole in memory.
func newScanner(part []byte) *xmlScanner {
	return &xmlScanner{rest: bytes.TrimPrefix(part, utf8BOM)}
}

// newStream scans a part while it is unpacked.
func newStream(source io.Reader) (*xmlScanner, error) {
	s := &xmlScanner{source: source}
	for len(s.rest) < len(utf8BOM) && s.source != nil {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	s.rest = bytes.TrimPrefix(s.rest, utf8BOM)
	return s, nil
}

// fill reads more behind rest.
func (s *xmlScanner) fill() error {
	if len(s.rest) > maxToken {
		return errLong
	}
	room := make([]byte, max(chunk, 2*len(s.rest)))
	filled := copy(room, s.rest)
	var err error
	for filled < len(room) && err == nil {
		var n int
		n, err = s.source.Read(room[filled:])
		filled, s.taken = filled+n, s.taken+int64(n)
	}
	s.rest = room[:filled]
	if err == io.EOF { // one that is wrapped is no clean end
		s.source, err = nil, nil
	}
	return err
}

// drain reads the part to its end without looking at it, so that its checksum is checked.
func (s *xmlScanner) drain() error {
	if s.source == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, s.source)
	s.source = nil
	return err
}

// errMore says that the rest ends within a token.
var errMore = errors.New("more bytes are needed")

// next reads one token. Of a text token it gives the raw bytes, references not yet resolved (see appendText).
func (s *xmlScanner) next() (token, []byte, error) {
	for {
		kind, raw, err := s.scan()
		if err == errMore { //nolint:errorlint // it is never wrapped
			if s.source == nil {
				return endOfPart, nil, errXML
			}
			if err := s.fill(); err != nil {
				return endOfPart, nil, err
			}
			continue
		}
		return kind, raw, err
	}
}

// scan is next within what is in memory. It takes nothing off the rest where it gives errMore.
func (s *xmlScanner) scan() (token, []byte, error) {
	for {
		if s.closed {
			s.closed = false
			s.open = s.open[:len(s.open)-1]
			return endTag, nil, nil
		}
		if len(s.rest) == 0 {
			if s.source != nil || len(s.open) > 0 {
				return endOfPart, nil, errMore
			}
			return endOfPart, nil, nil
		}
		if s.rest[0] != '<' {
			end := bytes.IndexByte(s.rest, '<')
			if end < 0 {
				if s.source != nil {
					return endOfPart, nil, errMore
				}
				end = len(s.rest)
			}
			raw := s.rest[:end]
			s.rest = s.rest[end:]
			return text, raw, nil
		}
		if len(s.rest) < 2 {
			return endOfPart, nil, errMore
		}
		switch s.rest[1] {
		case '/':
			return s.endTag()
		case '?':
			if err := s.skipPast("?>"); err != nil {
				return endOfPart, nil, err
			}
		case '!':
			switch {
			case bytes.HasPrefix(s.rest, commentStart):
				if err := s.skipPast("-->"); err != nil {
					return endOfPart, nil, err
				}
			case bytes.HasPrefix(s.rest, cdataStart):
				end := bytes.Index(s.rest, cdataEnd)
				if end < 0 {
					return endOfPart, nil, errMore
				}
				raw := s.rest[:end+len(cdataEnd)]
				s.rest = s.rest[end+len(cdataEnd):]
				return text, raw, nil
			case len(s.rest) < len(cdataStart) && s.source != nil:
				return endOfPart, nil, errMore
			default: // a document type, which could declare entities
				return endOfPart, nil, errXML
			}
		default:
			return s.startTag()
		}
	}
}

var commentStart, cdataStart, cdataEnd = []byte("<!--"), []byte("<![CDATA["), []byte("]]>")

func (s *xmlScanner) skipPast(mark string) error {
	end := bytes.Index(s.rest, []byte(mark))
	if end < 0 {
		return errMore
	}
	s.rest = s.rest[end+len(mark):]
	return nil
}

func (s *xmlScanner) endTag() (token, []byte, error) {
	if len(s.open) == 0 {
		return endOfPart, nil, errXML
	}
	name := s.open[len(s.open)-1]
	end := 2 + len(name)
	for end < len(s.rest) && isSpace(s.rest[end]) {
		end++
	}
	switch {
	case end >= len(s.rest):
		return endOfPart, nil, errMore
	case s.rest[end] != '>' || !bytes.Equal(s.rest[2:2+len(name)], name):
		return endOfPart, nil, errXML
	}
	s.open, s.rest, s.name = s.open[:len(s.open)-1], s.rest[end+1:], local(name)
	return endTag, nil, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// nameEnds are the bytes at which a name ends.
var nameEnds = [256]bool{' ': true, '\t': true, '\r': true, '\n': true, '=': true, '/': true, '>': true, '<': true, '"': true, '\'': true}

func (s *xmlScanner) startTag() (token, []byte, error) {
	rest, at := s.rest, 1
	for at < len(rest) && !nameEnds[rest[at]] {
		at++
	}
	full := rest[1:at]
	s.attrs = s.attrs[:0]
	for {
		for at < len(rest) && isSpace(rest[at]) {
			at++
		}
		if at >= len(rest) {
			return endOfPart, nil, errMore
		}
		if rest[at] == '>' || rest[at] == '/' {
			break
		}
		from := at
		for at < len(rest) && !nameEnds[rest[at]] {
			at++
		}
		name := rest[from:at]
		for at < len(rest) && isSpace(rest[at]) {
			at++
		}
		if at < len(rest) && rest[at] != '=' || len(name) == 0 {
			return endOfPart, nil, errXML
		}
		for at++; at < len(rest) && isSpace(rest[at]); {
			at++
		}
		if at >= len(rest) {
			return endOfPart, nil, errMore
		}
		quote := rest[at]
		if quote != '"' && quote != '\'' {
			return endOfPart, nil, errXML
		}
		at++
		length := bytes.IndexByte(rest[at:], quote)
		if length < 0 {
			return endOfPart, nil, errMore
		}
		value := rest[at : at+length]
		if bytes.IndexByte(value, '<') >= 0 {
			return endOfPart, nil, errXML
		}
		s.attrs = append(s.attrs, attribute{local(name), value})
		at += length + 1
	}
	closed := rest[at] == '/'
	if closed {
		if at++; at >= len(rest) {
			return endOfPart, nil, errMore
		}
	}
	switch {
	case rest[at] != '>' || len(full) == 0:
		return endOfPart, nil, errXML
	case len(s.open) >= maxDepth:
		return endOfPart, nil, errDeep
	}
	s.closed, s.rest = closed, rest[at+1:]
	s.open = append(s.open, full)
	s.name = local(full)
	return startTag, nil, nil
}

// local is a name without its namespace prefix.
func local(name []byte) []byte {
	for i, c := range name {
		if c == ':' {
			return name[i+1:]
		}
	}
	return name
}

// attr is the raw value of an attribute of the current start tag, by its local name.
func (s *xmlScanner) attr(name string) ([]byte, bool) {
	for i := range s.attrs {
		if string(s.attrs[i].name) == name {
			return s.attrs[i].value, true
		}
	}
	return nil, false
}

// plainCell takes the content of the current c element off the rest, its end tag included, where it is written the way nearly
// every program writes it: one v or one inline text. Otherwise it takes nothing, and the tokens say what is there.
func (s *xmlScanner) plainCell() (content []byte, inline, ok bool) {
	rest := s.rest
	if len(rest) < 8 || rest[0] != '<' {
		return nil, false, false
	}
	var from int
	var closing string
	switch {
	case rest[1] == 'v' && rest[2] == '>':
		from, closing = 3, "</v></c>"
	case bytes.HasPrefix(rest, inlineText):
		from, closing, inline = len(inlineText), "</t></is></c>", true
	case bytes.HasPrefix(rest, inlineSpaced):
		from, closing, inline = len(inlineSpaced), "</t></is></c>", true
	default:
		return nil, false, false
	}
	length := bytes.IndexByte(rest[from:], '<')
	to := from + length + len(closing)
	if length < 0 || to > len(rest) || string(rest[from+length:to]) != closing {
		return nil, false, false
	}
	s.rest, s.open = rest[to:], s.open[:len(s.open)-1]
	return rest[from : from+length], inline, true
}

var inlineText, inlineSpaced = []byte("<is><t>"), []byte(`<is><t xml:space="preserve">`)

// attrText is an attribute with its references resolved, empty where there is none.
func (s *xmlScanner) attrText(name string) string {
	raw, _ := s.attr(name)
	out, err := appendText(nil, raw)
	if err != nil {
		return ""
	}
	return string(out)
}

// skip leaves the current element.
func (s *xmlScanner) skip() error {
	for depth := 1; depth > 0; {
		kind, _, err := s.next()
		if err != nil {
			return err
		}
		switch kind {
		case startTag:
			depth++
		case endTag:
			depth--
		case endOfPart:
			return errXML
		}
	}
	return nil
}

// appendText appends a text token's content to dst.
func appendText(dst, raw []byte) ([]byte, error) {
	if bytes.HasPrefix(raw, cdataStart) {
		return append(dst, raw[len(cdataStart):len(raw)-len(cdataEnd)]...), nil
	}
	for {
		amp := bytes.IndexByte(raw, '&')
		if amp < 0 {
			return append(dst, raw...), nil
		}
		dst = append(dst, raw[:amp]...)
		semi := bytes.IndexByte(raw[amp:min(len(raw), amp+12)], ';')
		if semi < 0 {
			return dst, errXML
		}
		r, err := reference(string(raw[amp+1 : amp+semi]))
		if err != nil {
			return dst, err
		}
		dst = utf8.AppendRune(dst, r)
		raw = raw[amp+semi+1:]
	}
}

// reference resolves what stands between & and ;.
func reference(name string) (rune, error) {
	switch name {
	case "amp":
		return '&', nil
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "quot":
		return '"', nil
	case "apos":
		return '\'', nil
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, errXML
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' || digits[0] == 'X' {
		digits, base = digits[1:], 16
	}
	code, err := strconv.ParseUint(digits, base, 31)
	if err != nil || !utf8.ValidRune(rune(code)) || code == 0 {
		return 0, errXML
	}
	return rune(code), nil
}
