package actor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCertificateFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write := func(serial int64, cert, key bool) {
		t.Helper()
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		stamp := time.Unix(serial*1000, 0) // file systems may not tell two writes apart
		for _, file := range []struct {
			name  string
			block *pem.Block
			write bool
		}{{certFile, &pem.Block{Type: "CERTIFICATE", Bytes: der}, cert}, {keyFile, &pem.Block{Type: "PRIVATE KEY", Bytes: encoded}, key}} {
			if !file.write {
				continue
			}
			if err := errors.Join(os.WriteFile(file.name, pem.EncodeToMemory(file.block), 0o600), os.Chtimes(file.name, stamp, stamp)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var broken *CertificateError
	if _, err := NewCertificate(certFile, keyFile, nil); !errors.As(err, &broken) {
		t.Errorf("no files: %v", err)
	}
	write(1, true, true)
	var reports []error
	c, err := NewCertificate(certFile, keyFile, func(err error) { reports = append(reports, err) })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c.now = func() time.Time { return now }
	serves := func(what string, serial int64, reported int) {
		t.Helper()
		pair, err := c.GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		if got := pair.Leaf.SerialNumber.Int64(); got != serial || len(reports) != reported {
			t.Errorf("%s: certificate %d, want %d; reports %v", what, got, serial, reports)
		}
	}
	serves("at first", 1, 0)
	write(2, true, true)
	serves("before the files are looked at", 1, 0)
	now = now.Add(CertificateCheck + time.Second)
	serves("after that", 2, 0)
	write(3, true, false)
	now = now.Add(CertificateCheck)
	serves("half a pair", 2, 1)
	now = now.Add(CertificateCheck)
	serves("the same half", 2, 1)
	write(4, true, true)
	now = now.Add(CertificateCheck)
	serves("a whole pair again", 4, 1)
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	now = now.Add(CertificateCheck)
	serves("no key", 4, 2)
	if !errors.As(reports[1], &broken) || !errors.Is(broken, os.ErrNotExist) {
		t.Errorf("reported %v", reports[1])
	}
	if config := c.Config(); config.MinVersion != tls.VersionTLS12 || config.NextProtos[0] != "http/1.1" {
		t.Errorf("config %+v", config)
	}
}
