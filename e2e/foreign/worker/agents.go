package main

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"rescind.test/foreign/flovyn"
)

// agents are run from their first line at each pass, and learn from their checkpoint how far they were.
var agents = map[string]func(context.Context, *worker, *flovyn.AgentExecutionInfo){
	"go-race": race,
}

func (w *worker) pollAgent(ctx context.Context) error {
	kinds := make([]string, 0, len(agents))
	for kind := range agents {
		kinds = append(kinds, kind)
	}
	answer, err := w.agents.PollAgent(ctx, &flovyn.PollAgentRequest{
		WorkerId: w.id, OrgId: w.org, Queue: queue, TimeoutSeconds: pollSeconds, AgentCapabilities: kinds,
	})
	if err != nil || answer.AgentExecution == nil {
		return err
	}
	agents[answer.AgentExecution.Kind](ctx, w, answer.AgentExecution)
	return nil
}

// raced is what the agent answers.
type raced struct {
	Winner    string `json:"winner"`
	Cancelled bool   `json:"cancelled"`
	Again     string `json:"again"`
	Passes    int    `json:"passes"`
}

// taskID is the rule of the protocol: both sides derive it from the key.
func taskID(key string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(key)).String()
}

// race starts two tasks, waits for the first success, cancels the loser, and asks for that twice.
func race(ctx context.Context, w *worker, agent *flovyn.AgentExecutionInfo) {
	keys := []string{"task:" + agent.Id + ":go-quick", "task:" + agent.Id + ":go-endless"}
	kinds := []string{"go-quick", "go-endless"}
	ids := []string{taskID(keys[0]), taskID(keys[1])}
	passes := 1
	if agent.CurrentCheckpointSeq > 0 {
		latest := must(w.agents.GetLatestCheckpoint(ctx, &flovyn.GetCheckpointRequest{AgentExecutionId: agent.Id}))
		must(passes, json.Unmarshal(latest.Checkpoint.State, &passes))
		passes++
	}
	for i, kind := range kinds {
		w.schedule(ctx, agent.Id, kind, keys[i], ids[i])
	}
	results := must(w.agents.GetAgentTaskResults(ctx, &flovyn.GetAgentTaskResultsRequest{
		AgentExecutionId: agent.Id, TaskExecutionIds: ids,
	})).Results
	winner := -1
	for i, result := range results {
		if result.Status == "COMPLETED" {
			winner = i
			break
		}
	}
	if winner < 0 {
		w.wait(ctx, agent.Id, ids, passes)
		return
	}
	request := &flovyn.CancelAgentTaskRequest{
		AgentExecutionId: agent.Id, TaskExecutionId: ids[1-winner], Reason: ptr("lost the race"),
	}
	first := must(w.agents.CancelAgentTask(ctx, request))
	again := must(w.agents.CancelAgentTask(ctx, request))
	output, _ := json.Marshal(raced{kinds[winner], first.Cancelled, again.Status, passes})
	must(w.agents.CompleteAgent(ctx, &flovyn.CompleteAgentRequest{AgentExecutionId: agent.Id, Output: output}))
}

func (w *worker) schedule(ctx context.Context, agent, kind, key, expected string) {
	stream := must(w.agents.ScheduleAgentTask(ctx))
	header := &flovyn.ScheduleAgentTaskHeader{AgentExecutionId: agent, TaskKind: kind, IdempotencyKey: ptr(key)}
	chunks := []*flovyn.ScheduleAgentTaskChunk{
		{Chunk: &flovyn.ScheduleAgentTaskChunk_Header{Header: header}},
		{Chunk: &flovyn.ScheduleAgentTaskChunk_InputChunk{InputChunk: []byte(`{"from":`)}},
		{Chunk: &flovyn.ScheduleAgentTaskChunk_InputChunk{InputChunk: []byte(`"go"}`)}},
	}
	for _, chunk := range chunks {
		must(chunk, stream.Send(chunk))
	}
	if id := must(stream.CloseAndRecv()).TaskExecutionId; id != expected {
		panic("the server derives another id from the key: " + id + ", not " + expected)
	}
}

func (w *worker) wait(ctx context.Context, agent string, ids []string, passes int) {
	state, _ := json.Marshal(passes)
	must(w.agents.SubmitCheckpoint(ctx, &flovyn.SubmitCheckpointRequest{AgentExecutionId: agent, State: state}))
	must(w.agents.SuspendAgent(ctx, &flovyn.SuspendAgentRequest{
		AgentExecutionId: agent,
		WaitCondition: &flovyn.SuspendAgentRequest_WaitForTasks{
			WaitForTasks: &flovyn.WaitForTasks{TaskIds: ids, Mode: flovyn.WaitMode_WAIT_MODE_ANY},
		},
	}))
}

func ptr[T any](value T) *T { return &value }
