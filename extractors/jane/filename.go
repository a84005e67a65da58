package jane

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/falloff-analytics/falloff/extractors"
)

// checkFileName compares the name under which the portal offers a file with the report that was asked for. Names that
// cannot be read are a change of the portal's; names of something else are a wrong file.
func (r *run) checkFileName(name, report string) error {
	pattern, err := r.profile.fileName(report)
	if err != nil {
		return err
	}
	found := pattern.FindStringSubmatch(name)
	switch {
	case found == nil && r.profile.anyFileName.MatchString(name):
		return fail(extractors.ExportIncomplete, "", errors.New("the file's name says that it is another report"))
	case found == nil:
		return &unmet{expected: fmt.Sprintf("a file called %s, found %q", r.profile.Contract.FileName, shapeOf(name))}
	}
	return nil
}

// fileName is the pattern for the name of a report's file; its first group is the clinic.
func (p *Profile) fileName(report string) (*regexp.Regexp, error) {
	called := report
	if in := p.Contract.Reports[report].File; in != "" {
		called = in
	}
	return regexp.Compile(strings.ReplaceAll(p.Contract.FileName, "{report}", regexp.QuoteMeta(called)))
}

// checkFileNames checks the pattern of file names once and for all reports.
func (p *Profile) checkFileNames() error {
	var err error
	if p.anyFileName, err = regexp.Compile(strings.ReplaceAll(p.Contract.FileName, "{report}", "[a-z_]+")); err != nil ||
		p.anyFileName.NumSubexp() != 1 || !strings.Contains(p.Contract.FileName, "{report}") {
		return fmt.Errorf("contract.file_name: %q must be a pattern with {report} and one group, the clinic", p.Contract.FileName)
	}
	return nil
}
