package dashboards

import "slices"

// All returns every dashboard by the name of its file.
func All() map[string]Dashboard {
	return map[string]Dashboard{
		"fleet.json":  fleet(),
		"pod.json":    pod(),
		"broker.json": broker(),
	}
}

func one(q Query) []Query { return []Query{q} }

func fleet() Dashboard {
	return Dashboard{
		UID: "tandem-fleet", Title: "Tandem: fleet",
		Description: "All WebSocket servers of a job: who is connected, what passes, how long it takes, and who is in trouble.",
		Rows:        []Row{connections(), latency(), traffic(), trouble(), saturation()},
	}
}

func connections() Row {
	return Row{"Connections", []Panel{
		{Title: "Connections", Kind: Lines, Unit: "short", Stack: true, Show: one(gauge("connections", "state", "{{state}}")),
			Help: "A step down on all pods at once is a proxy or a network; on one pod a restart. Many in state closing: peers that do not answer close frames."},
		{Title: "Connections by pod", Kind: Lines, Unit: "short", Show: one(gauge("connections", "pod, instance", "{{pod}} {{instance}}")),
			Help: "They stay where they were opened. If new pods stay empty, drain old ones slowly or set MaxLifetime."},
		{Title: "Share of the limit", Kind: Lines, Unit: "percentunit", Show: one(Query{"sum by (pod, instance) (tandem_connections{$s}) / sum by (pod, instance) (tandem_connections_limit{$s})", "{{pod}} {{instance}}"}),
			Help: "At 1 the server answers 503. Add pods before 0.85, or raise MaxConnections if memory allows 2 KiB for each idle one and what sessions hold."},
		{Title: "Opened and closed", Kind: Lines, Unit: "cps", Show: []Query{rate("connections_opened_total", "job", "opened {{job}}"), rate("connections_closed_total", "job", "closed {{job}}")},
			Help: "Both high while the number of connections stays level: clients reconnect in a loop. Look at the causes beside this."},
		{Title: "Closed by cause", Kind: Lines, Unit: "cps", Stack: true, Show: one(rate("connections_closed_total", "cause", "{{cause}}")),
			Help: "peer and drain are health. slow_consumer, heartbeat, panic, protocol and limit have panels and runbooks of their own."},
		{Title: "Closed by code", Kind: Lines, Unit: "cps", Stack: true, Show: one(rate("connections_closed_total", "code", "{{code}}")),
			Help: "1006 is an end without a close frame: a network, a proxy's timeout or a killed client. 1011 is ours."},
		{Title: "Abnormal ends", Kind: Lines, Unit: "percentunit", Show: one(ratio(`connections_closed_total{code=~"1006|1011"}`, "connections_closed_total", "job", "{{job}}")),
			Help: "Share of ends with 1006 or 1011. Phones make 0.2 of it; more is a proxy, a network or a fault here."},
		{Title: "Lifetime", Kind: Lines, Unit: "s", Show: quantiles("connection_lifetime_seconds", "", 0.5, 0.9),
			Help: "Many ends at the same age: a proxy's idle or total timeout. Set it above the ping interval."},
		{Title: "Refused handshakes", Kind: Lines, Unit: "cps", Stack: true, Show: one(rate("handshakes_refused_total", "reason", "{{reason}}")),
			Help: "origin: a page on a host that is not allowed. upgrade, connection: a proxy that does not pass WebSocket on. connection_limit: add pods. panic: see the log."},
		{Title: "Handshake duration", Kind: Lines, Unit: "s", Show: quantiles("handshake_duration_seconds", "", 0.5, 0.99),
			Help: "Mostly the service's own session producer: who it asks about the user is slow."},
		{Title: "Accepts that failed", Kind: Lines, Unit: "cps", Show: one(rate("accept_failures_total", "pod, instance", "{{pod}} {{instance}}")),
			Help: "The limit on open files is too low for the load, or memory is short."},
		{Title: "Failed dials", Kind: Lines, Unit: "cps", Show: one(rate("dials_failed_total", "reason", "{{reason}}")),
			Help: "Of dialers in these processes. connect, tls, proxy: the way there. status, answer: the server or a proxy that answers for it."},
	}}
}

func latency() Row {
	return Row{"Latency", []Panel{
		{Title: "Ping round trip", Kind: Heatmap, Unit: "s", Wide: true, Show: one(Query{"sum by (le) (increase(tandem_ping_round_trip_seconds_bucket{$s}[$__rate_interval]))", "{{le}}"}),
			Help: "A second band far above the first is some clients' networks. The whole band moving up is this service or its proxy short of CPU."},
		{Title: "Ping round trip, quantiles", Kind: Lines, Unit: "s", Show: quantiles("ping_round_trip_seconds", "", 0.5, 0.95, 0.99),
			Help: "Compare with mailbox wait: if both rise, the servers are busy; if only this does, the network or the clients are."},
		{Title: "Mailbox wait", Kind: Lines, Unit: "s", Show: quantiles("mailbox_wait_seconds", "", 0.5, 0.99),
			Help: "From the sending to the completed write. Only p99: slow peers. p50 too: too little CPU, or sessions that hold up their loop."},
		{Title: "Session handling", Kind: Lines, Unit: "s", Show: quantiles("session_handling_seconds", "", 0.5, 0.99),
			Help: "Time in the service's Receive. Give work that waits to another actor."},
	}}
}

func traffic() Row {
	return Row{"Traffic", []Panel{
		{Title: "Frames", Kind: Lines, Unit: "cps", Show: one(rate("frames_total", "direction, opcode", "{{direction}} {{opcode}}")),
			Help: "out ping without as many in pong: peers that are gone. in continuation above in text: a peer cuts messages into small pieces."},
		{Title: "Payload", Kind: Lines, Unit: "Bps", Show: one(rate("frame_payload_bytes_total", "direction", "{{direction}}")),
			Help: "What the network carries, without headers."},
		{Title: "Message size", Kind: Lines, Unit: "bytes", Show: quantiles("message_bytes", "direction", 0.5, 0.99),
			Help: "A p99 near MaxMessageBytes: clients that will soon be closed with 1009."},
		{Title: "Compressed to", Kind: Lines, Unit: "percentunit", Show: one(ratio(`compression_bytes_total{form="compressed"}`, `compression_bytes_total{form="plain"}`, "direction", "{{direction}}")),
			Help: "What compression leaves of the messages that it was used on. Near 1 it costs CPU for nothing: raise the threshold or turn it off."},
		{Title: "Frames per write", Kind: Lines, Unit: "short", Show: one(ratio("write_batch_frames_sum", "write_batch_frames_count", "job", "{{job}}")),
			Help: "More under load is good: fewer system calls for each message."},
		{Title: "Published to topics", Kind: Lines, Unit: "cps", Show: []Query{rate("topic_publishes_total", "job", "published {{job}}"), rate("topic_deliveries_total", "result", "{{result}}")},
			Help: "refused are members that missed a message, because their mailbox was full or closing."},
		{Title: "Fan-out", Kind: Lines, Unit: "short", Show: quantiles("topic_fan_out", "", 0.5, 0.99),
			Help: "Subscribers for each publish. Each costs a system call of its own."},
		{Title: "Topic subscribers", Kind: Lines, Unit: "short", Show: one(gauge("topic_subscribers", "job", "{{job}}")),
			Help: "Rising while connections do not: sessions that subscribe and never unsubscribe."},
	}}
}

func trouble() Row {
	closedFor := func(cause string) []Query {
		return one(rate(`connections_closed_total{cause="`+cause+`"}`, "pod, instance", "{{pod}} {{instance}}"))
	}
	return Row{"Trouble", []Panel{
		{Title: "Slow consumers", Kind: Lines, Unit: "cps", Show: closedFor("slow_consumer"),
			Help: "Closed because they did not take what was sent. Send less, conflate, or use a drop policy; see the mailbox panels for who is next."},
		{Title: "Heartbeat failures", Kind: Lines, Unit: "cps", Show: closedFor("heartbeat"),
			Help: "Nothing came from them, not even pongs: networks that went away. On one pod only: that pod's network or CPU."},
		{Title: "Broken rules and limits", Kind: Lines, Unit: "cps", Show: one(rate(`connections_closed_total{cause=~"protocol|limit"}`, "code", "{{code}}")),
			Help: "A new client version that does it wrong, or somebody who tries. The log at debug level says what was broken."},
		{Title: "Panics", Kind: Lines, Unit: "cps", Show: one(rate("panics_total", "part", "{{part}}")),
			Help: "session and producer are the service's code; reader and writer are a fault of the kit. The log has the stack."},
		{Title: "Rate limits", Kind: Lines, Unit: "cps", Show: one(rate("rate_exceeded_total", "limit", "{{limit}}")),
			Help: "Peers over RateConfig."},
		{Title: "Recoveries", Kind: Lines, Unit: "cps", Show: one(rate("recoveries_total", "result", "{{result}}")),
			Help: "Clients that came back and asked for what they missed. incomplete lost messages: they were away for longer than the history reaches, or it is gone."},
		{Title: "Messages that nobody got", Kind: Lines, Unit: "cps", Show: []Query{rate("messages_refused_total", "job", "refused {{job}}"), rate("messages_unhandled_total", "job", "unhandled {{job}}")},
			Help: "refused: other actors write to connections that are gone or do not keep up. unhandled: a session was stopped or panicked while its peer went on."},
		{Title: "Draining servers", Kind: Lines, Unit: "short", Show: one(gauge("draining_servers", "pod, instance", "{{pod}} {{instance}}")),
			Help: "More than one at a time: the rollout is too fast. Longer than the drain's time: see the runbook of TandemDrainStuck."},
		{Title: "Left at each stage of a drain", Kind: Lines, Unit: "short", Show: one(Query{"sum by (stage) (increase(tandem_drain_connections_total{$s}[$__rate_interval]))", "{{stage}}"}),
			Help: "Anything at cut lost its connection without a close frame: give the shutdown more time."},
	}}
}

func saturation() Row {
	return Row{"Saturation", []Panel{
		{Title: "Crowded mailboxes", Kind: Lines, Unit: "short", Show: one(gauge("mailboxes_crowded", "pod, instance", "{{pod}} {{instance}}")),
			Help: "Connections whose mailbox was over half full: the next slow consumers."},
		{Title: "Messages waiting", Kind: Lines, Unit: "short", Show: one(gauge("mailbox_frames", "pod, instance", "{{pod}} {{instance}}")),
			Help: "Near 0 in health. Growth means that peers take less than is sent to them."},
		{Title: "Bytes waiting", Kind: Lines, Unit: "bytes", Show: one(gauge("mailbox_bytes", "pod, instance", "{{pod}} {{instance}}")),
			Help: "Their payload; memory is up to a buffer class more."},
		{Title: "Dropped frames", Kind: Lines, Unit: "cps", Stack: true, Show: one(rate("frames_dropped_total", "reason", "{{reason}}")),
			Help: "full: slow consumers met the mailbox policy. lost: queued, and gone with the connection. closed is normal around closes."},
		{Title: "Late sessions", Kind: Lines, Unit: "cps", Show: one(rate("sessions_late_total", "pod, instance", "{{pod}} {{instance}}")),
			Help: "Sessions that held up their poll loop for over a millisecond. A steady rate: the service waits for something in Receive."},
		{Title: "Buffers in use", Kind: Lines, Unit: "short", Show: one(gauge("buffers_in_use", "pod, instance", "{{pod}} {{instance}}")),
			Help: "A floor that rises while connections do not: a session keeps what it took."},
	}}
}

// pod has what is of one process, and the fleet's rows for it alone.
func pod() Dashboard {
	process := Row{"Process", []Panel{
		{Title: "Build", Kind: Table, Unit: "short", Show: one(Query{"sum by (pod, instance, version, go_version) (tandem_build_info{$s})", ""}),
			Help: "Which versions run."},
		{Title: "CPU", Kind: Lines, Unit: "short", Show: one(Query{"rate(process_cpu_seconds_total{$s}[$__rate_interval])", "{{pod}} {{instance}}"}),
			Help: "Processors in use. Near the limit all latencies rise together."},
		{Title: "Memory", Kind: Lines, Unit: "bytes", Show: []Query{{"process_resident_memory_bytes{$s}", "resident {{pod}}"}, {"go_memstats_heap_inuse_bytes{$s}", "heap {{pod}}"}},
			Help: "Idle connections take 2 KiB each on Linux; what is above that is buffers and the service."},
		{Title: "Goroutines", Kind: Lines, Unit: "short", Show: one(Query{"go_goroutines{$s}", "{{pod}} {{instance}}"}),
			Help: "As many as connections: they are parked, not polled (TLS in the process, or not Linux)."},
		{Title: "Open descriptors", Kind: Lines, Unit: "percentunit", Show: one(Query{"process_open_fds{$s} / process_max_fds{$s}", "{{pod}} {{instance}}"}),
			Help: "Share of the limit; one for each connection. At 1 nothing is accepted: raise it with the connection limit."},
		{Title: "Opened by readiness", Kind: Lines, Unit: "cps", Show: one(rate("connections_opened_total", "readiness", "{{readiness}}")),
			Help: "parked costs a goroutine each: TLS ends in the process, or it is not Linux."},
		{Title: "Buffers by class", Kind: Lines, Unit: "short", Stack: true, Show: one(gauge("buffers_in_use", "class_bytes", "{{class_bytes}}")),
			Help: "Which size leaks, if one does."},
		{Title: "Poll loops", Kind: Lines, Unit: "short", Show: one(gauge("poller_loops", "pod, instance", "{{pod}} {{instance}}")),
			Help: "They open one at a time as load grows; at the number of processors the machine is full."},
		{Title: "Poll wakes", Kind: Lines, Unit: "cps", Show: one(rate("poller_wakes_total", "pod, instance", "{{pod}} {{instance}}")),
			Help: "Near zero with open connections: nobody says anything, or nothing arrives."},
		{Title: "Reads per wake", Kind: Lines, Unit: "short", Show: one(ratio("poller_reads_total", "poller_wakes_total", "pod, instance", "{{pod}} {{instance}}")),
			Help: "Grows with the load, which then costs less for each message."},
	}}
	return Dashboard{
		UID: "tandem-pod", Title: "Tandem: one pod", Pods: true,
		Description: "One process: what it uses, and what the fleet's panels show of it alone.",
		Rows:        slices.Concat([]Row{process}, []Row{connections(), latency(), traffic(), trouble(), saturation()}),
	}
}

func broker() Dashboard {
	return Dashboard{
		UID: "tandem-broker", Title: "Tandem: broker", Description: "What passes between the nodes of a service, and what does not.",
		Rows: []Row{{"Broker", []Panel{
			{Title: "Messages between nodes", Kind: Lines, Unit: "cps", Show: one(rate("broker_messages_total", "direction", "{{direction}}")),
				Help: "out is each publish once; in is what arrived from the others, presence included."},
			{Title: "Payload between nodes", Kind: Lines, Unit: "Bps", Show: one(rate("broker_payload_bytes_total", "direction", "{{direction}}")),
				Help: "Compare with the network of the broker."},
			{Title: "Broker lag", Kind: Lines, Unit: "s", Show: quantiles("broker_lag_seconds", "", 0.5, 0.99),
				Help: "How long what is published takes to the broker's server and back. On one pod: its network or CPU; on all: the broker."},
			{Title: "Failures", Kind: Lines, Unit: "cps", Show: one(rate("broker_failures_total", "operation", "{{operation}}")),
				Help: "publish: other nodes did not get it. subscribe: a topic has no other nodes. receive: somebody who is no hub, or of another version, publishes here."},
			{Title: "Gaps", Kind: Lines, Unit: "cps", Show: one(rate("broker_gaps_total", "pod, instance", "{{pod}} {{instance}}")),
				Help: "Messages between nodes were lost, and sessions were told. On one pod: its network or CPU; on all: the broker."},
			{Title: "Disconnects", Kind: Lines, Unit: "cps", Show: one(rate("broker_disconnects_total", "pod, instance", "{{pod}} {{instance}}")),
				Help: "The node was cut off from the others for a while."},
		}}},
	}
}
