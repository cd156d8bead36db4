package actor

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Attempt is how a dialer's attempt ended: either no connection came about, or
// it did and has ended. What follows by default:
//
//	connection closed with        by either side
//	1000                          end
//	1001                          again, spread over a second at least
//	1002 1003 1007 1009 1010      end: it would happen again
//	1008, 3000, 3003              end: not wanted here
//	1012, 1013                    again, after a sixth to the whole of MaxBackoff
//	1005, 1006, all others        again, after backoff
//
//	no connection
//	status 408, 425, 5xx          again, after backoff
//	status 429, 503               the same, and after Retry-After
//	any other status              end
//	an answer that is wrong       end
//	stream that ended early, DNS, TCP, TLS, SOCKS, timeout
//	                              again, after backoff
//	a proxy's status              as a server's
//	a request that cannot be sent, Prepare or the producer said no
//	                              end
//
// Backoff is a random time between nothing and MinBackoff, doubled with each
// attempt in a row up to MaxBackoff. In any case it ends after MaxAttempts.
type Attempt struct {
	// Number counts the attempts in a row that failed, or whose connection did
	// not stay up for StableAfter; it is 0 when one ends that did.
	Number int
	// Err is why no connection came about: what [split.Dial] returned, or a
	// [*RejectedError]; else nil.
	Err error
	// Closed is how the connection ended, nil if none came about.
	Closed *Closed
	// Uptime is how long the connection was open.
	Uptime time.Duration
	// Default is what follows by the table, for DialerConfig.Retry.
	Default Decision
}

// err is the error behind the end, if there is one.
func (a *Attempt) err() error {
	if a.Closed != nil {
		return a.Closed.Err
	}
	return a.Err
}

// Decision says what follows an attempt. The zero value ends the dialer.
type Decision struct {
	Again bool
	After time.Duration // the wait before; nothing if negative
}

// goingAwaySpread is over how long those come back at least whose server went
// away, because it left them all at once.
const goingAwaySpread = time.Second

// decide puts down what the table says, and asks the user's hook.
func (d *Dialer) decide(attempt *Attempt) (decision Decision) {
	attempt.Default = d.config.byTable(attempt)
	if d.config.Retry == nil {
		return attempt.Default
	}
	defer func() {
		if v := recover(); v != nil {
			d.host.recovered("producer", nil, v)
			decision = Decision{}
		}
	}()
	return d.config.Retry(*attempt)
}

func (c *DialerConfig) byTable(attempt *Attempt) Decision {
	if c.MaxAttempts > 0 && attempt.Number >= c.MaxAttempts {
		return Decision{}
	}
	if attempt.Closed != nil {
		return c.afterClose(attempt.Closed.Code, attempt.Number)
	}
	return c.afterFailure(attempt.Err, attempt.Number)
}

func (c *DialerConfig) afterClose(code CloseCode, number int) Decision {
	switch code {
	case wscore.CloseNormal,
		wscore.CloseProtocolError, wscore.CloseUnsupportedData, wscore.CloseInvalidPayload, wscore.CloseMessageTooBig, wscore.CloseMandatoryExtension,
		wscore.ClosePolicyViolation, closeUnauthorized, closeForbidden:
		return Decision{}
	case wscore.CloseGoingAway:
		return Decision{Again: true, After: random(0, min(c.MaxBackoff, max(goingAwaySpread, c.backoff(number))))}
	case wscore.CloseServiceRestart, wscore.CloseTryAgainLater:
		return Decision{Again: true, After: random(c.MaxBackoff/6, c.MaxBackoff)}
	}
	return Decision{Again: true, After: random(0, c.backoff(number))}
}

// Registered at IANA for what 401 and 403 say.
const (
	closeUnauthorized CloseCode = 3000
	closeForbidden    CloseCode = 3003
)

func (c *DialerConfig) afterFailure(err error, number int) Decision {
	again := Decision{Again: true, After: random(0, c.backoff(number))}
	var rejected *RejectedError
	var refusal *split.RefusalError
	var proxy *split.ProxyError
	var transport *split.TransportError
	switch {
	case errors.As(err, &rejected):
		return Decision{}
	case errors.As(err, &refusal):
		return c.afterStatus(refusal.Status, refusal.Header, again)
	case errors.As(err, &proxy) && proxy.Err == nil:
		return c.afterStatus(proxy.Status, proxy.Header, again)
	case errors.Is(err, wscore.ErrHandshakeEnded), errors.As(err, &transport):
		return again
	case proxy != nil && !isVerdict(proxy.Err):
		return again
	}
	return Decision{}
}

// isVerdict tells a wrong answer from a network that failed.
func isVerdict(err error) bool {
	var handshake *wscore.HandshakeError
	return errors.As(err, &handshake)
}

func (c *DialerConfig) afterStatus(status int, header http.Header, again Decision) Decision {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		again.After += min(c.MaxRetryAfter, retryAfter(header))
		return again
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status/100 == 5:
		return again
	}
	return Decision{}
}

// retryAfter reads how long a server asks to be left alone (RFC 9110 section
// 10.2.3), 0 if it does not say.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// backoff is the longest wait after the attempt with that number.
func (c *DialerConfig) backoff(number int) time.Duration {
	longest := c.MinBackoff
	for ; number > 1 && longest < c.MaxBackoff; number-- {
		longest *= 2
	}
	return min(longest, c.MaxBackoff)
}

// random is a time between least and most, both included.
func random(least, most time.Duration) time.Duration { return least + rand.N(most-least+1) }
