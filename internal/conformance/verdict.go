package conformance

import (
	"errors"
	"fmt"
)

// Verdict is the outcome of one case.
type Verdict uint8

// The verdicts, best first. Only OK and Informational are strict.
const (
	OK Verdict = iota
	Informational
	NonStrict
	Unimplemented
	Failed
)

// String names the verdict as the summary prints it.
func (v Verdict) String() string {
	switch v {
	case OK:
		return "OK"
	case Informational:
		return "informational"
	case NonStrict:
		return "non-strict"
	case Unimplemented:
		return "unimplemented"
	}
	return "failed"
}

// VerdictError is how a case's Run reports a verdict other than OK. Any other
// error counts as Failed.
type VerdictError struct {
	Verdict Verdict
	Detail  string
}

// Error gives the verdict and its detail.
func (e *VerdictError) Error() string { return e.Verdict.String() + ": " + e.Detail }

func verdictf(v Verdict, format string, args ...any) error {
	return &VerdictError{Verdict: v, Detail: fmt.Sprintf(format, args...)}
}

func failedf(format string, args ...any) error { return verdictf(Failed, format, args...) }

func nonStrictf(format string, args ...any) error { return verdictf(NonStrict, format, args...) }

// judge turns what a case returned into a verdict and a detail.
func judge(err error) (Verdict, string) {
	var v *VerdictError
	switch {
	case err == nil:
		return OK, ""
	case errors.As(err, &v):
		return v.Verdict, v.Detail
	}
	return Failed, err.Error()
}
