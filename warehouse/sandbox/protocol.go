package sandbox

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// What a server and a worker say to each other: frames of a kind, a length and a body, one request at a time. Requests come on
// the worker's standard input, answers leave on descriptor 3; what anything else in the process prints goes elsewhere.
const (
	sayOpen   = 'O' // openRequest; once, first
	sayCheck  = 'C' // checkRequest
	sayQuery  = 'Q' // queryRequest
	sayCancel = 'X' // the request at work is no longer wanted

	tellOpen   = 'R' // openAnswer
	tellReads  = 'K' // checkAnswer
	tellPart   = 'D' // a part of an Arrow IPC stream
	tellEnd    = 'F' // endAnswer, after all parts
	tellFailed = 'E' // failure, in place of any of these
)

// answersFD is where a worker finds the pipe for its answers; the files that it loads come after it.
const answersFD = 3

// largestPart is the most of an answer that one frame holds, largestFrame the most of any.
const (
	largestPart  = 256 << 10
	largestFrame = 64 << 20
)

type openRequest struct {
	MemoryMB int         `json:"memory_mb"`
	Threads  int         `json:"threads"`
	Tables   []loadTable `json:"tables"`
	Keys     []loadKey   `json:"keys"`
}

// loadTable is a table and its files by descriptor.
type loadTable struct {
	Table
	Files []loadFile `json:"files"`
}

type loadFile struct {
	FD  int    `json:"fd"`
	Key string `json:"key"`
}

// loadKey is the key of encrypted files: it crosses a pipe between two processes of one user, and stands in no argument,
// environment or file.
type loadKey struct {
	Name string `json:"name"`
	Key  []byte `json:"key"`
}

// openAnswer says how far the worker could shut itself in; Missing is what the system would not do.
type openAnswer struct {
	Missing []string `json:"missing"`
}

type checkRequest struct {
	SQL    string `json:"sql"`
	Tables Tables `json:"tables"`
}

type checkAnswer struct {
	Reads []TableName `json:"reads"`
}

type queryRequest struct {
	checkRequest
	Rows     int64             `json:"rows"`
	Bytes    int64             `json:"bytes"`
	Seconds  int               `json:"seconds"`
	Metadata map[string]string `json:"metadata"`
}

type endAnswer struct {
	Rows int64 `json:"rows"`
}

// failure is an *Error on its way.
type failure struct {
	Code   Code   `json:"code"`
	Text   string `json:"text"`
	Hint   string `json:"hint"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Detail string `json:"detail"`
}

func (f failure) err() *Error {
	return &Error{code: f.Code, text: f.Text, hint: f.Hint, Line: f.Line, Column: f.Column, Detail: f.Detail}
}

func failureOf(e *Error) failure {
	return failure{Code: e.code, Text: e.text, Hint: e.hint, Line: e.Line, Column: e.Column, Detail: e.Detail}
}

func writeFrame(w io.Writer, kind byte, body []byte) error {
	frame := make([]byte, 5, 5+len(body))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(body)))
	_, err := w.Write(append(frame, body...))
	return err
}

func writeMessage(w io.Writer, kind byte, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, body)
}

func readFrame(r *bufio.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length > largestFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes is too long", length)
	}
	body = make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	return head[0], body, nil
}
