package wscore

import (
	"errors"
	"fmt"
	"testing"
)

func TestHandshakeErrorsAreToldApartByReasonAndSide(t *testing.T) {
	all := []*HandshakeError{
		ErrMethod, ErrHTTPVersion, ErrNoHost, ErrNotWebSocket, ErrConnectionField, ErrWebSocketVersion, ErrWebSocketKey,
		ErrOrigin, ErrHeadSyntax, ErrHeadTooLarge, ErrTooManyHeaderFields, ErrHandshakeEnded, ErrTargetForm,
		ErrNotUpgraded, ErrResponseUpgrade, ErrResponseConnection, ErrResponseAccept, ErrUnrequestedProtocol, ErrUnrequestedExtension,
		ErrHeaderField, ErrSubprotocol, ErrTarget, Reject(401, "who are you").(*HandshakeError),
	}
	for i, err := range all {
		for j, other := range all {
			if errors.Is(fmt.Errorf("wrapped: %w", err), other) != (i == j) {
				t.Errorf("errors.Is(%v, %v) is %v", err, other, i != j)
			}
		}
		if err.Clause == "" || err.Text == "" || err.Reason == "" {
			t.Errorf("%v lacks clause, text or reason", err)
		}
		if errors.Is(err, ErrConnectionLost) {
			t.Errorf("%v matches an error of another type", err)
		}
	}
}

func TestHandshakeErrorNamesSideTextAndClause(t *testing.T) {
	const want = "websocket: handshake refused: a WebSocket handshake is a GET request (remote, RFC 6455 4.1)"
	if got := ErrMethod.Error(); got != want {
		t.Errorf("Error is %q, want %q", got, want)
	}
	if ErrHeaderField.Side != Local || ErrSubprotocol.Side != Local || ErrTarget.Side != Local {
		t.Error("the caller's own mistakes are local")
	}
}

func TestRejectKeepsOnlyStatusesThatRefuse(t *testing.T) {
	for status, want := range map[int]int{401: 401, 503: 503, 300: 300, 599: 599, 0: 403, 101: 403, 200: 403, 299: 403, 600: 403, -1: 403} {
		var refusal *HandshakeError
		if !errors.As(Reject(status, "no"), &refusal) || refusal.Status != want || refusal.Text != "no" || refusal.Side != Local {
			t.Errorf("Reject(%d) is %+v", status, refusal)
		}
	}
}
