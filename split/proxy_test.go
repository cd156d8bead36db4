package split

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/tandem-ws/tandem/wscore"
)

// proxyV2 makes a header of version 2 by hand.
func proxyV2(command, family byte, length int, body []byte) string {
	head := append([]byte(proxyVersion2), command, family)
	return string(append(binary.BigEndian.AppendUint16(head, uint16(length)), body...))
}

var (
	addresses4 = []byte{192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0, 80}
	proxied4   = proxyV2(0x21, 0x11, 12, addresses4)
)

func TestProxyHeadersAreBelievedFromTrustedAddressesOnly(t *testing.T) {
	loopback, elsewhere := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")
	six := append(bytes.Repeat([]byte{0x20, 1, 0xd, 0xb8}, 8), 0, 1, 0, 2)
	const peer = "peer" // the address of the stream
	for _, test := range []struct {
		name    string
		mode    ProxyMode
		trusted netip.Prefix
		header  string
		remote  string // "" if it is refused
		want    error
	}{
		{"off", ProxyOff, loopback, "", peer, nil},
		{"optional and absent", ProxyOptional, loopback, "", peer, nil},
		{"optional and absent from elsewhere", ProxyOptional, elsewhere, "", peer, nil},
		{"version 1", ProxyOptional, loopback, "PROXY TCP4 192.0.2.7 198.51.100.1 12345 80\r\n", "192.0.2.7:12345", nil},
		{"version 1, IPv6", ProxyRequired, loopback, "PROXY TCP6 2001:db8::1 2001:db8::2 12345 80\r\n", "[2001:db8::1]:12345", nil},
		{"version 1, unknown", ProxyRequired, loopback, "PROXY UNKNOWN\r\n", peer, nil},
		{"version 1, unknown with more", ProxyRequired, loopback, "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", peer, nil},
		{"version 2", ProxyRequired, loopback, proxied4, "192.0.2.7:12345", nil},
		{"version 2, IPv6", ProxyRequired, loopback, proxyV2(0x21, 0x21, 36, six), "[2001:db8:2001:db8:2001:db8:2001:db8]:1", nil},
		{"version 2, local", ProxyRequired, loopback, proxyV2(0x20, 0, 0, nil), peer, nil},
		{"version 2, Unix", ProxyRequired, loopback, proxyV2(0x21, 0x31, 216, make([]byte, 216)), peer, nil},
		{"version 2 with fields behind", ProxyRequired, loopback, proxyV2(0x21, 0x11, 12+1000, append(bytes.Clone(addresses4), append([]byte{0xE0, 0x03, 0xE5}, make([]byte, 997)...)...)), "192.0.2.7:12345", nil},
		{"from elsewhere", ProxyOptional, elsewhere, proxied4, "", ErrProxyUntrusted},
		{"version 1 from elsewhere", ProxyOptional, elsewhere, "PROXY TCP4 192.0.2.7 198.51.100.1 12345 80\r\n", "", ErrProxyUntrusted},
		{"required from elsewhere", ProxyRequired, elsewhere, proxied4, "", ErrProxyUntrusted},
		{"required and absent", ProxyRequired, loopback, "", "", ErrProxyMissing},
		{"version 1 without an end", ProxyOptional, loopback, "PROXY TCP4 " + strings.Repeat("1", 200), "", ErrProxyTooLong},
		{"version 1, end without CR", ProxyOptional, loopback, "PROXY TCP4 192.0.2.7 198.51.100.1 12345 80\n", "", ErrProxyMalformed},
		{"version 1, family and address differ", ProxyOptional, loopback, "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "", ErrProxyMalformed},
		{"version 1, port out of range", ProxyOptional, loopback, "PROXY TCP4 192.0.2.7 198.51.100.1 123456 80\r\n", "", ErrProxyMalformed},
		{"version 1, garbage", ProxyOptional, loopback, "PROXY garbage\r\n", "", ErrProxyMalformed},
		{"version 2, length too short", ProxyOptional, loopback, proxyV2(0x21, 0x11, 4, addresses4), "", ErrProxyMalformed},
		{"version 2, length over the limit", ProxyOptional, loopback, proxyV2(0x21, 0x11, 65535, addresses4), "", ErrProxyTooLong},
		{"version 2, datagrams", ProxyOptional, loopback, proxyV2(0x21, 0x12, 12, addresses4), "", ErrProxyMalformed},
		{"version 2, unknown command", ProxyOptional, loopback, proxyV2(0x2F, 0x11, 12, addresses4), "", ErrProxyMalformed},
		{"version 3", ProxyOptional, loopback, proxyV2(0x31, 0x11, 12, addresses4), "", ErrProxyMalformed},
		{"version 2, unknown family", ProxyOptional, loopback, proxyV2(0x21, 0x44, 12, addresses4), "", ErrProxyMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			everyAcceptor(t, AcceptConfig{Proxy: test.mode, TrustedProxies: []netip.Prefix{test.trusted}}, func(a *acceptTest) {
				remotes := make(chan string, 2)
				a.decides(func(h *Handshake) error {
					remotes <- h.Remote().String()
					return a.open(h, wscore.Answer{})
				})
				raw := a.dialRaw()
				for i := range test.header { // the header is never in one piece
					send(raw, test.header[i:i+1])
				}
				conn := net.Conn(raw)
				if a.tls != nil {
					conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // #nosec: its own certificate
				}
				send(conn, handshakeHead+masked("early"))
				if test.want != nil {
					a.failsWith(test.name, func(err error) bool {
						var proxy *ProxyHeaderError
						return errors.As(err, &proxy) && errors.Is(err, test.want)
					})
					if n, err := raw.Read(make([]byte, 1)); err == nil {
						a.t.Errorf("answered with %d bytes", n)
					}
					return
				}
				a.hears(conn, switched+frame("early"))
				want := test.remote
				if want == peer {
					want = raw.LocalAddr().String()
				}
				equal(a.t, "address of the handshake", receive(a.t, "it", remotes), want)
				equal(a.t, "address of the connection", receive(a.t, "it", a.remotes), want)
				_ = conn.Close()
			})
		})
	}
}

func TestProxyHeaderThatPromisesMoreThanComesTakesTheRequest(t *testing.T) {
	config := AcceptConfig{Proxy: ProxyRequired, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	everyAcceptor(t, config, func(a *acceptTest) {
		raw := a.dialRaw()
		send(raw, proxyV2(0x21, 0x11, 12+len(handshakeHead), addresses4)+handshakeHead)
		must(a.t, raw.(*net.TCPConn).CloseWrite())
		a.failsWith("the end", func(err error) bool { return err != nil })
		_, _ = io.Copy(io.Discard, raw)
	})
}

// Whatever comes: a header is found whole or not at any cut of the bytes in the
// same way, is never longer than its limit, and is read as the library reads it.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{"", "P", "PROXY ", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\nGET", "PROXY UNKNOWN\r\n", proxied4, proxied4 + "GET", proxyVersion2,
		proxyV2(0x20, 0, 0, nil), proxyV2(0x21, 0x31, 216, make([]byte, 216)), proxyV2(0x21, 0x11, 65535, nil), "GET / HTTP/1.1\r\n", "\r\n\r\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		length, whole, err := proxyHeader(p)
		if length < 0 || length > MaxProxyHeader || whole && length > len(p) {
			t.Fatalf("length %d of %d bytes", length, len(p))
		}
		if cut >= 0 && cut < len(p) {
			early, decided, wrong := proxyHeader(p[:cut])
			if wrong != nil && err == nil || decided && (early != length || !whole) {
				t.Fatalf("%d bytes: %d %v %v, all: %d %v %v", cut, early, decided, wrong, length, whole, err)
			}
		}
		if err != nil || !whole || length == 0 {
			return
		}
		source, err := parseProxyHeader(p[:length])
		if err != nil {
			if !errors.Is(err, ErrProxyMalformed) {
				t.Fatalf("%v is not typed", err)
			}
			return
		}
		if source.IsValid() && (source.Addr().Is4In6() || source.Addr().Zone() != "") {
			t.Fatalf("address %v", source)
		}
		header, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(p[:length])))
		if err != nil {
			t.Fatalf("the library refuses what was read: %v", err)
		}
		if tcp, _, ok := header.TCPAddrs(); ok && !header.Command.IsLocal() && addrPort(tcp) != source {
			t.Fatalf("%v, the library has %v", source, tcp)
		}
	})
}
