package tabular

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"
)

// xmlScanner walks the XML of one workbook part. It knows as much XML as spreadsheets use: elements, attributes, text,
// character references, CDATA, comments; no document type, so that no entity can be declared. It is ours and not
// encoding/xml because a report of 100,000 rows has some ten million tokens, and because text that nobody asks for is
// not copied. Broken XML is an error, never a quiet end.
type xmlScanner struct {
	rest []byte
	// name is the local name of the current element, attrs what stands behind it in the tag.
	name, attrs []byte
	// closed says that the current start tag closes itself; its end tag comes next.
	closed bool
	// open are the names, prefixes included, of the elements that are open.
	open [][]byte
}

// token is what the scanner has come to.
type token int

const (
	endOfPart token = iota
	startTag
	endTag
	text
)

var errXML = errors.New("its XML is broken")

func newScanner(part []byte) *xmlScanner {
	return &xmlScanner{rest: bytes.TrimPrefix(part, utf8BOM)}
}

// next reads one token. Of a text token it gives the raw bytes, references not yet resolved (see appendText).
func (s *xmlScanner) next() (token, []byte, error) {
	for {
		if s.closed {
			s.closed = false
			s.open = s.open[:len(s.open)-1]
			return endTag, nil, nil
		}
		if len(s.rest) == 0 {
			if len(s.open) > 0 {
				return endOfPart, nil, errXML
			}
			return endOfPart, nil, nil
		}
		if s.rest[0] != '<' {
			end := bytes.IndexByte(s.rest, '<')
			if end < 0 {
				end = len(s.rest)
			}
			raw := s.rest[:end]
			s.rest = s.rest[end:]
			return text, raw, nil
		}
		switch {
		case bytes.HasPrefix(s.rest, []byte("<?")):
			if err := s.skipPast("?>"); err != nil {
				return endOfPart, nil, err
			}
		case bytes.HasPrefix(s.rest, []byte("<!--")):
			if err := s.skipPast("-->"); err != nil {
				return endOfPart, nil, err
			}
		case bytes.HasPrefix(s.rest, cdataStart):
			end := bytes.Index(s.rest, cdataEnd)
			if end < 0 {
				return endOfPart, nil, errXML
			}
			raw := s.rest[:end+len(cdataEnd)]
			s.rest = s.rest[end+len(cdataEnd):]
			return text, raw, nil
		case bytes.HasPrefix(s.rest, []byte("<!")):
			return endOfPart, nil, errXML
		case bytes.HasPrefix(s.rest, []byte("</")):
			return s.endTag()
		default:
			return s.startTag()
		}
	}
}

var cdataStart, cdataEnd = []byte("<![CDATA["), []byte("]]>")

func (s *xmlScanner) skipPast(mark string) error {
	end := bytes.Index(s.rest, []byte(mark))
	if end < 0 {
		return errXML
	}
	s.rest = s.rest[end+len(mark):]
	return nil
}

func (s *xmlScanner) endTag() (token, []byte, error) {
	end := bytes.IndexByte(s.rest, '>')
	if end < 0 || len(s.open) == 0 {
		return endOfPart, nil, errXML
	}
	full := bytes.TrimRight(s.rest[2:end], " \t\r\n")
	last := len(s.open) - 1
	if !bytes.Equal(full, s.open[last]) {
		return endOfPart, nil, errXML
	}
	s.open, s.rest, s.name = s.open[:last], s.rest[end+1:], local(full)
	return endTag, nil, nil
}

func (s *xmlScanner) startTag() (token, []byte, error) {
	end, quote := 1, byte(0)
	for ; end < len(s.rest); end++ {
		c := s.rest[end]
		switch {
		case c == quote:
			quote = 0
		case quote != 0:
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			return endOfPart, nil, errXML
		}
		if c == '>' && quote == 0 {
			break
		}
	}
	if end == len(s.rest) {
		return endOfPart, nil, errXML
	}
	tag := s.rest[1:end]
	s.rest = s.rest[end+1:]
	if s.closed = len(tag) > 0 && tag[len(tag)-1] == '/'; s.closed {
		tag = tag[:len(tag)-1]
	}
	cut := bytes.IndexAny(tag, " \t\r\n")
	if cut < 0 {
		cut = len(tag)
	}
	if cut == 0 {
		return endOfPart, nil, errXML
	}
	s.open = append(s.open, tag[:cut])
	s.name, s.attrs = local(tag[:cut]), tag[cut:]
	return startTag, nil, nil
}

// local is a name without its namespace prefix.
func local(name []byte) []byte { return name[bytes.IndexByte(name, ':')+1:] }

// attr is the raw value of an attribute of the current start tag, by its local name.
func (s *xmlScanner) attr(name string) ([]byte, bool) {
	rest := s.attrs
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		equals := bytes.IndexByte(rest, '=')
		if equals < 0 {
			return nil, false
		}
		key := local(bytes.TrimSpace(rest[:equals]))
		rest = bytes.TrimLeft(rest[equals+1:], " \t\r\n")
		if len(rest) == 0 || (rest[0] != '"' && rest[0] != '\'') {
			return nil, false
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return nil, false
		}
		if string(key) == name {
			return rest[1 : end+1], true
		}
		rest = rest[end+2:]
	}
}

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
