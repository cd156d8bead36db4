package actor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Certificate is a certificate and its key in two PEM files, which may be
// replaced while they are served: a change is found during a TLS handshake. A
// pair that cannot be read, or that does not fit together, is reported, and the
// one before it stays in use.
type Certificate struct {
	certFile, keyFile string
	report            func(error)
	now               func() time.Time

	current atomic.Pointer[tls.Certificate]
	next    atomic.Int64 // when the files are looked at again, in Unix nanoseconds

	mu   sync.Mutex
	seen [2]fileStamp // of the pair that was tried last
}

// CertificateCheck is how often a [Certificate]'s files are looked at, at most.
const CertificateCheck = 10 * time.Second

// CertificateError is a pair of files that is not used.
type CertificateError struct {
	CertFile, KeyFile string
	Err               error
}

// Error names the files and what is wrong.
func (e *CertificateError) Error() string {
	return fmt.Sprintf("websocket: certificate %s and key %s: %v", e.CertFile, e.KeyFile, e.Err)
}

// Unwrap returns what is wrong.
func (e *CertificateError) Unwrap() error { return e.Err }

// fileStamp tells one content of a file from another.
type fileStamp struct {
	changed time.Time
	size    int64
}

// NewCertificate reads the files; the error is a [*CertificateError]. report is
// told of later pairs that are broken, once each, and must not block; nil for
// nobody.
func NewCertificate(certFile, keyFile string, report func(error)) (*Certificate, error) {
	if report == nil {
		report = func(error) {}
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, report: report, now: time.Now}
	c.next.Store(c.now().Add(CertificateCheck).UnixNano())
	if err := c.reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Config returns the TLS config of a server with this certificate: version 1.2
// at least, Go's choice of cipher suites, and http/1.1 by ALPN.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.GetCertificate}
}

// GetCertificate returns the newest good pair, for [tls.Config].
func (c *Certificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := c.now()
	if due := c.next.Load(); now.UnixNano() >= due && c.next.CompareAndSwap(due, now.Add(CertificateCheck).UnixNano()) {
		if err := c.reload(); err != nil {
			c.report(err)
		}
	}
	return c.current.Load(), nil
}

// reload reads the files if they have changed. The error is new.
func (c *Certificate) reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var stamps [2]fileStamp
	var missing error
	for i, name := range [...]string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			missing = errors.Join(missing, err)
			continue
		}
		stamps[i] = fileStamp{info.ModTime(), info.Size()}
	}
	if c.current.Load() != nil && stamps == c.seen {
		return nil
	}
	c.seen = stamps
	pair, err := tls.Certificate{}, missing
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	if err != nil {
		return &CertificateError{CertFile: c.certFile, KeyFile: c.keyFile, Err: err}
	}
	c.current.Store(&pair)
	return nil
}
