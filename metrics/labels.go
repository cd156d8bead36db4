package metrics

import (
	"strconv"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// The label names.
const (
	labelCode      = "code"
	labelInitiator = "initiator"
	labelCause     = "cause"
	labelDirection = "direction"
	labelOpcode    = "opcode"
	labelReason    = "reason"
	labelPart      = "part"
	labelClass     = "class_bytes"
	labelReadiness = "readiness"
	labelLimit     = "limit"
	labelStage     = "stage"
	labelOperation = "operation"
	labelState     = "state"
	labelForm      = "form"
	labelResult    = "result"
	labelVersion   = "version"
	labelGoVersion = "go_version"
)

// reservedLabels are the names that constant labels may not have: those above
// and the two that Prometheus gives to histograms and summaries.
var reservedLabels = map[string]bool{
	labelCode: true, labelInitiator: true, labelCause: true, labelDirection: true,
	labelOpcode: true, labelReason: true, labelPart: true, labelClass: true, labelReadiness: true,
	labelLimit: true, labelStage: true, labelOperation: true,
	labelState: true, labelForm: true, labelResult: true, labelVersion: true, labelGoVersion: true,
	"le": true, "quantile": true,
}

// other is the label value of everything that has none of its own. It keeps
// the number of series bounded whatever is reported.
const other = "other"

// readinesses are those of package split.
var readinesses = [...]string{"epoll", "parked", other}

// opcodes are those that a frame can have.
var opcodes = [...]wscore.Opcode{
	wscore.OpContinuation, wscore.OpText, wscore.OpBinary, wscore.OpClose, wscore.OpPing, wscore.OpPong,
}

// closeCodes are the registered close codes by their label.
var closeCodes = func() map[wscore.CloseCode]string {
	labels := make(map[wscore.CloseCode]string)
	for _, code := range []wscore.CloseCode{
		wscore.CloseNormal, wscore.CloseGoingAway, wscore.CloseProtocolError, wscore.CloseUnsupportedData,
		wscore.CloseNoStatus, wscore.CloseAbnormal, wscore.CloseInvalidPayload, wscore.ClosePolicyViolation,
		wscore.CloseMessageTooBig, wscore.CloseMandatoryExtension, wscore.CloseInternalError,
		wscore.CloseServiceRestart, wscore.CloseTryAgainLater, wscore.CloseBadGateway, wscore.CloseTLSHandshake,
	} {
		labels[code] = strconv.Itoa(int(code))
	}
	return labels
}()

// closeCodeLabel returns one of 18 values: peers choose their codes freely
// from 3000 to 4999 and must not be able to make a series of each.
func closeCodeLabel(code wscore.CloseCode) string {
	label, registered := closeCodes[code]
	switch {
	case registered:
		return label
	case code.IsRegistered():
		return "3xxx"
	case code.IsPrivate():
		return "4xxx"
	}
	return other
}

// ending is a combination of labels of a closed connection.
type ending struct {
	code      wscore.CloseCode
	initiator actor.Initiator
	cause     actor.Cause
}

// commonEndings exist from the start, so that their rates do. All others, such
// as private codes, appear with their first connection.
var commonEndings = [...]ending{
	// What a healthy fleet sees.
	{wscore.CloseNormal, actor.Remote, actor.CausePeer},
	{wscore.CloseGoingAway, actor.Remote, actor.CausePeer}, // a page was left
	{wscore.CloseNoStatus, actor.Remote, actor.CausePeer},  // close() without a code
	{wscore.CloseNormal, actor.Local, actor.CauseUser},
	{wscore.CloseGoingAway, actor.Local, actor.CauseUser}, // a PID was stopped
	{wscore.CloseGoingAway, actor.Local, actor.CauseDrain},
	{wscore.CloseServiceRestart, actor.Local, actor.CauseDrain},
	{wscore.CloseNormal, actor.Local, actor.CauseAdmin},
	{wscore.CloseGoingAway, actor.Local, actor.CauseAdmin},
	{wscore.ClosePolicyViolation, actor.Local, actor.CauseAdmin},

	// What an ailing one sees.
	{wscore.CloseAbnormal, actor.Remote, actor.CausePeer}, // the network, or a client that was killed
	{wscore.CloseProtocolError, actor.Local, actor.CauseProtocol},
	{wscore.CloseInvalidPayload, actor.Local, actor.CauseProtocol},
	{wscore.ClosePolicyViolation, actor.Local, actor.CauseLimit},
	{wscore.CloseMessageTooBig, actor.Local, actor.CauseLimit},
	{wscore.CloseInternalError, actor.Local, actor.CausePanic},
	{wscore.CloseInternalError, actor.Local, actor.CauseHeartbeat},
	{wscore.CloseTryAgainLater, actor.Local, actor.CauseSlowConsumer},

	// The same where our close frame did not get out.
	{wscore.CloseAbnormal, actor.Local, actor.CauseHeartbeat},
	{wscore.CloseAbnormal, actor.Local, actor.CauseSlowConsumer},
	{wscore.CloseAbnormal, actor.Local, actor.CauseUser},
	{wscore.CloseAbnormal, actor.Local, actor.CauseDrain},
	{wscore.CloseAbnormal, actor.Local, actor.CauseAdmin},
}

// refusals are the reasons for which a server refuses a handshake.
var refusals = [...]string{
	// The request is not a correct handshake.
	wscore.ErrMethod.Reason, wscore.ErrHTTPVersion.Reason, wscore.ErrNoHost.Reason, wscore.ErrNotWebSocket.Reason,
	wscore.ErrConnectionField.Reason, wscore.ErrWebSocketVersion.Reason, wscore.ErrWebSocketKey.Reason,
	wscore.ErrHeadSyntax.Reason, wscore.ErrHeadTooLarge.Reason, wscore.ErrTooManyHeaderFields.Reason,
	wscore.ErrHandshakeEnded.Reason, wscore.ErrTargetForm.Reason, wscore.ErrHandshakeTimeout.Reason,
	// Its PROXY header is not accepted.
	split.ErrProxyUntrusted.Reason, split.ErrProxyMissing.Reason, split.ErrProxyTooLong.Reason, split.ErrProxyMalformed.Reason,
	// It is not welcome.
	wscore.ErrOrigin.Reason, actor.ErrDraining.Reason, actor.ErrTooManyConnections.Reason, actor.ErrTooManyFromAddress.Reason, "rejected",
	// This side has a fault.
	actor.ErrSessionPanic.Reason, wscore.ErrHeaderField.Reason, wscore.ErrSubprotocol.Reason, "hijack", "transport",
	other,
}

// dialFailures are the reasons for which a dialer's attempt brings no
// connection.
var dialFailures = [...]string{
	"connect", "tls", "handshake", "proxy", "status", "answer", "request", "rejected", "attach", other,
}

// parts are what can panic.
var parts = [...]string{"session", "producer", "reader", "writer", other}

// rates are what a peer can send too much of.
var rates = [...]string{"messages", "bytes", other}

// drainStages are those that a shutdown goes through.
func drainStages() []string {
	stages := []string{other}
	for stage := range actor.DrainStage(actor.DrainStages) {
		stages = append(stages, stage.String())
	}
	return stages
}

// operations are what a hub does at its broker.
var operations = [...]string{"publish", "subscribe", "receive", other}

// bufferClasses are the payload capacities of pooled buffers in bytes; 0 stands
// for buffers above the largest.
var bufferClasses = [...]int{0, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20}

func classLabel(class int) string {
	if class == 0 {
		return "larger"
	}
	return strconv.Itoa(class)
}
