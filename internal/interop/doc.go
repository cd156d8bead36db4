// Package interop holds the tests that drive a Tandem server with WebSocket
// clients of other languages: ws for Node and websockets for Python. It is not
// a library and exports nothing.
package interop
