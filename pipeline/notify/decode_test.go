package notify

import (
	"encoding/base64"
	"io"
	"mime/quotedprintable"

	"cloud.google.com/go/civil"
)

func base64Reader(r io.Reader) io.Reader { return base64.NewDecoder(base64.StdEncoding, r) }

func quotedReader(r io.Reader) io.Reader { return quotedprintable.NewReader(r) }

func civilDay(day int) civil.Date { return civil.Date{Year: 2026, Month: 11, Day: day} }
