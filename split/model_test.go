package split

import (
	"testing"

	"github.com/tandem-ws/tandem/internal/explore"
)

// Every schedule of a writer's small worlds is run: no interleaving loses a
// message without reporting it, deadlocks, closes twice or releases twice.
// What a world must keep to is in model_writer_test.go.
func TestEveryScheduleOfAWriterKeepsItsPromises(t *testing.T) {
	for _, scenario := range modelScenarios() {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			pool := NewPool(nil)
			pool.Scribble()
			scenario.mailbox.BlockTimeout = DefaultBlockTimeout * 60
			explore.All(t, func() explore.System { return newModelWriter(&scenario, pool) })
		})
	}
}

// modelThreads gives threads names.
func modelThreads(programs ...[]modelAction) (threads []modelThread) {
	for i, actions := range programs {
		threads = append(threads, modelThread{[]string{"Ann", "Bob", "Cid", "Dan"}[i], actions})
	}
	return threads
}

func program(actions ...modelAction) []modelAction { return actions }

func modelScenarios() []modelScenario {
	small, large := modelSend(modelSmall), modelSend(modelLarge)
	tight := func(policy Policy, frames int) MailboxConfig {
		return MailboxConfig{MaxFrames: frames, MaxBytes: 2 * modelSmallCap, Policy: policy}
	}
	var all []modelScenario
	for _, policy := range []Policy{CloseSlow, DropNewest, DropOldest} {
		for _, frames := range []int{1, 2} {
			all = append(all, modelScenario{name: policy.String() + " " + string('0'+byte(frames)), mailbox: tight(policy, frames), faults: 1,
				threads: modelThreads(program(small, large), program(modelNotify(), small), program(modelClose(false)))})
		}
	}
	for _, policy := range []Policy{CloseSlow, DropOldest} {
		all = append(all, modelScenario{name: policy.String() + " and discard", mailbox: tight(policy, 2), faults: 1, try: true, blocks: 1, takeover: true,
			threads: modelThreads(program(small, modelNotify()), program(modelNotify()), program(modelClose(true)), program(modelShut))})
	}
	conflate := tight(Conflate, 2)
	all = append(all,
		modelScenario{name: "conflate keys", mailbox: conflate, faults: 1, threads: modelThreads(
			program(modelKeyed("x", modelSmall), modelKeyed("y", modelSmall), modelKeyed("x", modelLarge)),
			program(modelNotify(), modelKeyed("y", modelLarge)),
			program(modelClose(false)))},
		modelScenario{name: "conflate discard", mailbox: conflate, faults: 1, try: true, blocks: 1, threads: modelThreads(
			program(modelKeyed("x", modelSmall), modelKeyed("x", modelLarge)),
			program(modelKeyed("x", modelLarge)),
			program(modelClose(true)), program(modelShut))},

		modelScenario{name: "block patiently", mailbox: tight(Block, 1), threads: modelThreads(
			program(modelWait(modelSmall, true), modelWait(modelLarge, true)),
			program(modelWait(modelLarge, true), modelWait(modelSmall, true)),
			program(modelWait(modelSmall, true)))},
		modelScenario{name: "block and close", mailbox: tight(Block, 1), faults: 1, threads: modelThreads(
			program(modelWait(modelSmall, true), modelTry()),
			program(modelWait(modelLarge, false)),
			program(modelClose(false)))},
		modelScenario{name: "block and give up", mailbox: tight(Block, 2), threads: modelThreads(
			program(modelWait(modelSmall, true), modelWait(modelLarge, false)),
			program(modelWait(modelLarge, false)),
			program(modelWait(modelSmall, false), modelTry()))},
		modelScenario{name: "block and shut", mailbox: tight(Block, 1), faults: 1, try: true, blocks: 1, takeover: true, threads: modelThreads(
			program(modelWait(modelSmall, false)),
			program(modelWait(modelSmall, true)),
			program(modelClose(true), modelShut))},

		modelScenario{name: "control", mailbox: tight(CloseSlow, 1), try: true, blocks: 1, threads: modelThreads(
			program(small, small),
			program(modelPongs(1), modelPing),
			program(modelClose(false)))},
		modelScenario{name: "control beyond its bound", mailbox: tight(DropNewest, 1), faults: 1, threads: modelThreads(
			program(small, small),
			program(modelPongs(MaxPongs), modelPongs(2)),
			program(modelPing, modelClose(true)))},
		modelScenario{name: "closes", mailbox: tight(CloseSlow, 2), faults: 1, try: true, blocks: 1, takeover: true, threads: modelThreads(
			program(modelNotify(), modelClose(false)),
			program(modelClose(true)),
			program(modelPongs(1), modelShut),
			program(modelShut))},
		modelScenario{name: "in detail", mailbox: tight(CloseSlow, 2), faults: 1, try: true, blocks: 1, fine: true, takeover: true, threads: modelThreads(
			program(small, modelNotify()),
			program(modelPongs(1), modelClose(false)),
			program(modelShut))},
		modelScenario{name: "a lost stream in detail", mailbox: tight(DropNewest, 1), faults: 1, fine: true, takeover: true, threads: modelThreads(
			program(modelNotify()),
			program(modelPongs(1), modelClose(false)),
			program(modelShut, modelLost))},
		modelScenario{name: "block in detail", mailbox: tight(Block, 2), fine: true, threads: modelThreads(
			program(modelWait(modelSmall, true), modelWait(modelSmall, true)),
			program(modelWait(modelSmall, true)),
			program(modelWait(modelSmall, true)))},
		modelScenario{name: "relief", mailbox: tight(CloseSlow, 1), faults: 1, try: true, blocks: 1, relief: true, threads: modelThreads(
			program(small, modelNotify(), large),
			program(small),
			program(modelClose(true)))},
		modelScenario{name: "relief for who would wait", mailbox: tight(Block, 1), try: true, blocks: 1, relief: true, threads: modelThreads(
			program(modelWait(modelSmall, true), modelWait(modelLarge, true)),
			program(modelWait(modelSmall, false)),
			program(modelClose(false)))},
		modelScenario{name: "relief of the oldest", mailbox: tight(DropOldest, 1), faults: 1, try: true, relief: true, threads: modelThreads(
			program(small, modelNotify(), small),
			program(large),
			program(modelShut))},
		modelScenario{name: "a close behind two batches", mailbox: MailboxConfig{MaxFrames: 3, MaxBytes: 2 * maxBatchBytes, Policy: CloseSlow}, threads: modelThreads(
			program(modelSend(modelHuge), small),
			program(modelClose(false)))},
		modelScenario{name: "batches without an end", mailbox: tight(CloseSlow, 2), try: true, threads: modelThreads(
			program(small, small, small),
			program(small, small, small))},
	)
	if explore.Large() {
		return append(all, largeModelScenarios()...)
	}
	return all
}

// largeModelScenarios take minutes.
func largeModelScenarios() (all []modelScenario) {
	small, large := modelSend(modelSmall), modelSend(modelLarge)
	for _, policy := range []Policy{CloseSlow, DropNewest, DropOldest, Conflate} {
		all = append(all, modelScenario{name: policy.String() + " large", faults: 1, try: true, blocks: 2, takeover: true,
			mailbox: MailboxConfig{MaxFrames: 2, MaxBytes: 2 * modelSmallCap, Policy: policy},
			threads: modelThreads(
				program(modelKeyed("x", modelSmall), modelNotify(), small),
				program(large, modelKeyed("x", modelLarge)),
				program(modelPongs(1), modelClose(true)),
				program(modelClose(false), modelShut))})
	}
	for _, frames := range []int{1, 2} {
		all = append(all, modelScenario{name: "block large " + string('0'+byte(frames)), faults: 1, try: true, blocks: 1,
			mailbox: MailboxConfig{MaxFrames: frames, MaxBytes: 2 * modelSmallCap, Policy: Block},
			threads: modelThreads(
				program(modelWait(modelSmall, true), modelWait(modelLarge, false)),
				program(modelWait(modelLarge, true), modelWait(modelSmall, false)),
				program(modelWait(modelSmall, true), modelTry()),
				program(modelPongs(1), modelClose(false), modelShut))})
	}
	return all
}
