package wscore

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// remoteErrors are all the variables for what a peer can do wrong, with the
// close code that RFC 6455 section 7.4.1 gives for it.
var remoteErrors = map[*ProtocolError]CloseCode{
	ErrReservedBits:           1002,
	ErrReservedOpcode:         1002,
	ErrFrameNotMasked:         1002,
	ErrFrameMasked:            1002,
	ErrLengthNotMinimal:       1002,
	ErrLengthTopBit:           1002,
	ErrControlFragmented:      1002,
	ErrControlTooLong:         1002,
	ErrUnexpectedContinuation: 1002,
	ErrMessageInterrupted:     1002,
	ErrInvalidText:            1007,
	ErrCloseBodyLength:        1002,
	ErrCloseCodeReserved:      1002,
	ErrCloseReasonText:        1007,
	ErrFrameTooBig:            1009,
	ErrMessageTooBig:          1009,
	ErrTooManyFragments:       1008,
	ErrTooManyEmptyFragments:  1008,
	ErrConnectionLost:         0, // nothing can be sent any more
}

var localErrors = []*ProtocolError{
	ErrSendAfterClose, ErrConnectionClosed, ErrControlPayload, ErrCloseCodeNotOnWire, ErrCloseReasonTooLong,
	ErrTextNotUTF8, ErrNotDataOpcode, ErrNotPingOrPong, ErrFragmentOrder, ErrFragmentSize,
	ErrReadingMixed, ErrCompressor,
}

func TestRemoteErrorsCarrySideClauseAndTheCodeThatIsDue(t *testing.T) {
	for err, code := range remoteErrors {
		if err.Side != Remote || err.Code != code || !strings.HasPrefix(err.Clause, "RFC 6455 ") {
			t.Errorf("%v: side %v, code %v, clause %q", err, err.Side, err.Code, err.Clause)
		}
		// Conn sends the text as the reason of the close frame.
		if len(err.Text) > MaxCloseReason || !utf8.ValidString(err.Text) || code != 0 && CheckClose(code, err.Text) != nil {
			t.Errorf("%q is no close reason", err.Text)
		}
		if want := "websocket: " + err.Text + " (remote, " + err.Clause + ")"; err.Error() != want {
			t.Errorf("Error is %q, want %q", err, want)
		}
	}
}

func TestLocalErrorsSendNothing(t *testing.T) {
	for _, err := range localErrors {
		if err.Side != Local || err.Code != 0 || !strings.HasPrefix(err.Clause, "RFC 6455 ") || !strings.Contains(err.Error(), "(local, ") {
			t.Errorf("%v: side %v, code %v, clause %q", err, err.Side, err.Code, err.Clause)
		}
	}
}

func TestProtocolErrorsAreToldApartByIdentity(t *testing.T) {
	all := append([]*ProtocolError(nil), localErrors...)
	for err := range remoteErrors {
		all = append(all, err)
	}
	for i, err := range all {
		for j, other := range all {
			if errors.Is(err, other) != (i == j) {
				t.Errorf("errors.Is(%v, %v) is %v", err, other, i != j)
			}
		}
	}
}

func TestConnectionLostIsAnUnexpectedEnd(t *testing.T) {
	if !errors.Is(ErrConnectionLost, io.ErrUnexpectedEOF) || errors.Is(ErrConnectionLost, io.EOF) {
		t.Error("ErrConnectionLost must match io.ErrUnexpectedEOF alone")
	}
	if errors.Unwrap(ErrReservedBits) != nil {
		t.Error("a violation has no cause")
	}
}

func TestConfigErrorNamesFieldValueAndRange(t *testing.T) {
	err := &ConfigError{Field: "MaxFrame", Value: -1, Range: "1 or more"}
	if got, want := err.Error(), "websocket: MaxFrame is -1, allowed is 1 or more"; got != want {
		t.Errorf("Error is %q, want %q", got, want)
	}
}
