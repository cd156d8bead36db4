package wscore

import "testing"

// RFC 6455 section 5.2: 3 to 7 are reserved for data, B to F for control
// frames; section 5.5: a control opcode has the most significant bit of its
// four set.
func TestOpcodeClassesFollowTheRFC(t *testing.T) {
	for _, test := range []struct {
		opcode                  Opcode
		control, data, reserved bool
		name                    string
	}{
		{0x0, false, true, false, "continuation"},
		{0x1, false, true, false, "text"},
		{0x2, false, true, false, "binary"},
		{0x3, false, false, true, "reserved-3"},
		{0x4, false, false, true, "reserved-4"},
		{0x5, false, false, true, "reserved-5"},
		{0x6, false, false, true, "reserved-6"},
		{0x7, false, false, true, "reserved-7"},
		{0x8, true, false, false, "close"},
		{0x9, true, false, false, "ping"},
		{0xA, true, false, false, "pong"},
		{0xB, true, false, true, "reserved-11"},
		{0xC, true, false, true, "reserved-12"},
		{0xD, true, false, true, "reserved-13"},
		{0xE, true, false, true, "reserved-14"},
		{0xF, true, false, true, "reserved-15"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.opcode
			if o.IsControl() != test.control || o.IsData() != test.data || o.IsReserved() != test.reserved || o.String() != test.name {
				t.Errorf("opcode %d: control %v, data %v, reserved %v, name %q", o, o.IsControl(), o.IsData(), o.IsReserved(), o)
			}
		})
	}
}

func TestRoleNames(t *testing.T) {
	if Server.String() != "server" || Client.String() != "client" {
		t.Errorf("roles are called %q and %q", Server, Client)
	}
}
