package wscore

import "testing"

// RFC 6455 section 7.4 and the IANA registry, code by code: below 1000 is not
// used; 1004 is reserved; 1005, 1006 and 1015 must not be set in a frame; 1016
// to 2999 is kept for the protocol; 3000 to 4999 is open to libraries and
// applications.
func TestCloseCodesAllowedOnTheWire(t *testing.T) {
	allowed := map[CloseCode]bool{
		1000: true, 1001: true, 1002: true, 1003: true,
		1007: true, 1008: true, 1009: true, 1010: true, 1011: true, 1012: true, 1013: true, 1014: true,
	}
	for number := range 1 << 16 {
		code := CloseCode(number)
		want := allowed[code] || number >= 3000 && number < 5000
		if code.OnWire() != want {
			t.Errorf("OnWire of %d is %v", number, code.OnWire())
		}
		if want := number/1000 == 3; code.IsRegistered() != want {
			t.Errorf("IsRegistered of %d is %v", number, code.IsRegistered())
		}
		if want := number/1000 == 4; code.IsPrivate() != want {
			t.Errorf("IsPrivate of %d is %v", number, code.IsPrivate())
		}
	}
}

func TestCloseCodeNames(t *testing.T) {
	for code, want := range map[CloseCode]string{
		CloseNormal:             "1000 normal closure",
		CloseGoingAway:          "1001 going away",
		CloseProtocolError:      "1002 protocol error",
		CloseUnsupportedData:    "1003 unsupported data",
		CloseNoStatus:           "1005 no status received",
		CloseAbnormal:           "1006 abnormal closure",
		CloseInvalidPayload:     "1007 invalid payload data",
		ClosePolicyViolation:    "1008 policy violation",
		CloseMessageTooBig:      "1009 message too big",
		CloseMandatoryExtension: "1010 mandatory extension",
		CloseInternalError:      "1011 internal error",
		CloseServiceRestart:     "1012 service restart",
		CloseTryAgainLater:      "1013 try again later",
		CloseBadGateway:         "1014 bad gateway",
		CloseTLSHandshake:       "1015 TLS handshake failure",
		0:                       "0",
		1004:                    "1004",
		4321:                    "4321",
	} {
		if got := code.String(); got != want {
			t.Errorf("%d is called %q, want %q", uint16(code), got, want)
		}
	}
}

func TestCloseReasonFitsAControlFrame(t *testing.T) {
	if 2+MaxCloseReason != MaxControlPayload || MaxControlPayload != 125 {
		t.Errorf("a reason of %d bytes does not fill a payload of %d", MaxCloseReason, MaxControlPayload)
	}
}
