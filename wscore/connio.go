package wscore

import "io"

// MessageReader reads what is left of a message that [Conn.NextPiece] began,
// as an io.Reader and io.WriterTo. It is made by [Conn.Reader].
type MessageReader struct {
	conn  *Conn
	rest  []byte
	final bool
}

// Reader returns a reader of the message to which this piece is the beginning,
// both as NextPiece returned them. The message must be read to its end before
// the next can be.
func (c *Conn) Reader(piece Message, final bool) MessageReader {
	return MessageReader{conn: c, rest: piece.Payload, final: final}
}

// Read returns io.EOF behind the message's last byte. Pings and pongs are
// answered as the options say and left out. A close frame inside the message
// gives io.ErrUnexpectedEOF; the other errors are those of NextPiece.
func (r *MessageReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo writes the rest of the message to w without copying it on the way.
func (r *MessageReader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if len(r.rest) > 0 {
			n, err := w.Write(r.rest)
			total += int64(n)
			r.rest = r.rest[n:]
			if err != nil {
				return total, err
			}
		}
		switch err := r.next(); err {
		case nil:
		case io.EOF:
			return total, nil
		default:
			return total, err
		}
	}
}

func (r *MessageReader) next() error {
	if r.final {
		return io.EOF
	}
	piece, final, err := r.conn.NextPiece()
	switch {
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case piece.IsClose():
		return io.ErrUnexpectedEOF
	case piece.IsData():
		r.rest, r.final = piece.Payload, final
	}
	return nil
}

// MessageWriter sends one message as an io.WriteCloser, each Write as a piece.
// It is made by [Conn.Writer].
type MessageWriter struct {
	conn   *Conn
	opcode Opcode
}

// Writer returns a writer of a text or binary message; its Close ends the
// message. What [Conn.SendPiece] says holds for each Write.
func (c *Conn) Writer(opcode Opcode) MessageWriter {
	return MessageWriter{conn: c, opcode: opcode}
}

// Write sends p as a piece of the message.
func (w MessageWriter) Write(p []byte) (int, error) {
	if err := w.conn.SendPiece(Message{Opcode: w.opcode, Payload: p}, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the message with an empty piece; the connection stays open.
func (w MessageWriter) Close() error {
	return w.conn.SendPiece(Message{Opcode: w.opcode}, true)
}
