package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"rescind.test/foreign/flovyn"
)

// workflows are run from their first line at each pass, against the whole log of events.
var workflows = map[string]func(*pass){
	"go-order":  order,
	"go-double": double,
	"go-long":   long,
}

// pass is one run of a workflow's code: what has happened, and what it asks for now.
type pass struct {
	execution *flovyn.WorkflowExecution
	events    map[string][]map[string]any
	commands  []*flovyn.WorkflowCommand
	status    flovyn.WorkflowStatus
}

func (w *worker) pollWorkflow(ctx context.Context) error {
	answer, err := w.workflows.PollWorkflow(ctx, &flovyn.PollRequest{
		WorkerId: w.name, OrgId: w.org, Queue: queue, TimeoutSeconds: pollSeconds,
	})
	if err != nil || answer.WorkflowExecution == nil {
		return err
	}
	execution := answer.WorkflowExecution
	log := must(w.workflows.GetEvents(ctx, &flovyn.GetEventsRequest{WorkflowExecutionId: execution.Id}))
	p := &pass{execution: execution, events: map[string][]map[string]any{}, status: flovyn.WorkflowStatus_SUSPENDED}
	for _, event := range log.Events {
		data := map[string]any{}
		if len(event.EventData) > 0 {
			must(data, json.Unmarshal(event.EventData, &data))
		}
		p.events[event.EventType] = append(p.events[event.EventType], data)
	}
	workflows[execution.Kind](p)
	_, err = w.workflows.SubmitWorkflowCommands(ctx, &flovyn.SubmitWorkflowCommandsRequest{
		WorkflowExecutionId: execution.Id, Commands: p.commands, Status: p.status,
	})
	return err
}

// order waits for a timer, a task and a child, then takes another timer and another child back.
func order(p *pass) {
	if len(p.events["TIMER_STARTED"]) == 0 {
		p.startTimer("soon", 50)
		p.startTimer("late", 3_600_000)
		p.scheduleTask(0, "go-fails")
		p.scheduleChild(1, "twice", "go-double", `21`)
		p.scheduleChild(2, "endless", "go-long", `null`)
		p.suspend("everything has begun")
		return
	}
	if len(p.events["TIMER_FIRED"]) == 0 || len(p.events["TASK_COMPLETED"]) == 0 ||
		len(p.events["CHILD_WORKFLOW_COMPLETED"]) == 0 {
		p.suspend("not all of it is there")
		return
	}
	if len(p.events["TIMER_CANCELLED"]) == 0 {
		p.add(flovyn.CommandType_CANCEL_TIMER, &flovyn.WorkflowCommand{
			CommandData: &flovyn.WorkflowCommand_CancelTimer{CancelTimer: &flovyn.CancelTimerCommand{TimerId: "late"}},
		})
		p.add(flovyn.CommandType_REQUEST_CANCEL_CHILD_WORKFLOW, &flovyn.WorkflowCommand{
			CommandData: &flovyn.WorkflowCommand_RequestCancelChildWorkflow{
				RequestCancelChildWorkflow: &flovyn.RequestCancelChildWorkflowCommand{
					ChildExecutionName: "endless", ChildWorkflowExecutionId: p.derived(2), Reason: "no longer needed",
				},
			},
		})
		p.suspend("the child is to stop")
		return
	}
	ended := p.events["CHILD_WORKFLOW_FAILED"]
	if len(ended) == 0 {
		p.suspend("the child has not stopped")
		return
	}
	output, _ := json.Marshal(map[string]any{
		"twice":   p.events["CHILD_WORKFLOW_COMPLETED"][0]["output"],
		"attempt": p.events["TASK_COMPLETED"][0]["output"],
		"endless": ended[0]["error"],
		"fired":   p.events["TIMER_FIRED"][0]["timerId"],
	})
	p.complete(output)
}

// double answers at once.
func double(p *pass) {
	var number int
	must(number, json.Unmarshal(p.execution.Input, &number))
	p.complete([]byte(fmt.Sprint(2 * number)))
}

// long waits for an hour, unless it is asked to stop.
func long(p *pass) {
	if len(p.events["CANCELLATION_REQUESTED"]) > 0 {
		p.status = flovyn.WorkflowStatus_CANCELLED
		p.add(flovyn.CommandType_CANCEL_WORKFLOW, &flovyn.WorkflowCommand{
			CommandData: &flovyn.WorkflowCommand_CancelWorkflow{
				CancelWorkflow: &flovyn.CancelWorkflowCommand{Reason: "asked to stop"},
			},
		})
		return
	}
	if len(p.events["TIMER_STARTED"]) == 0 {
		p.startTimer("sleep-1", 3_600_000)
	}
	p.suspend("an hour is long")
}

// derived is the id of the n-th task or child, by the protocol's rule.
func (p *pass) derived(n int) string {
	space := uuid.MustParse(p.execution.Id)
	return uuid.NewSHA1(space, []byte(fmt.Sprintf("%s:%d", p.execution.Id, n))).String()
}

// add numbers commands from 1 in every submission, as some clients do.
func (p *pass) add(kind flovyn.CommandType, command *flovyn.WorkflowCommand) {
	command.CommandType = kind
	command.SequenceNumber = int32(len(p.commands) + 1)
	p.commands = append(p.commands, command)
}

func (p *pass) startTimer(id string, milliseconds int64) {
	p.add(flovyn.CommandType_START_TIMER, &flovyn.WorkflowCommand{
		CommandData: &flovyn.WorkflowCommand_StartTimer{
			StartTimer: &flovyn.StartTimerCommand{TimerId: id, DurationMs: milliseconds},
		},
	})
}

func (p *pass) scheduleTask(n int, kind string) {
	p.add(flovyn.CommandType_SCHEDULE_TASK, &flovyn.WorkflowCommand{
		CommandData: &flovyn.WorkflowCommand_ScheduleTask{
			ScheduleTask: &flovyn.ScheduleTaskCommand{Kind: kind, Input: []byte(`{}`), TaskExecutionId: p.derived(n)},
		},
	})
}

func (p *pass) scheduleChild(n int, name, kind, input string) {
	p.add(flovyn.CommandType_SCHEDULE_CHILD_WORKFLOW, &flovyn.WorkflowCommand{
		CommandData: &flovyn.WorkflowCommand_ScheduleChildWorkflow{
			ScheduleChildWorkflow: &flovyn.ScheduleChildWorkflowCommand{
				ChildExecutionName: name, WorkflowKind: ptr(kind), ChildWorkflowExecutionId: p.derived(n),
				Input: []byte(input),
			},
		},
	})
}

func (p *pass) suspend(reason string) {
	p.add(flovyn.CommandType_SUSPEND_WORKFLOW, &flovyn.WorkflowCommand{
		CommandData: &flovyn.WorkflowCommand_SuspendWorkflow{
			SuspendWorkflow: &flovyn.SuspendWorkflowCommand{Reason: reason},
		},
	})
}

func (p *pass) complete(output []byte) {
	p.status = flovyn.WorkflowStatus_COMPLETED
	p.add(flovyn.CommandType_COMPLETE_WORKFLOW, &flovyn.WorkflowCommand{
		CommandData: &flovyn.WorkflowCommand_CompleteWorkflow{
			CompleteWorkflow: &flovyn.CompleteWorkflowCommand{Output: output},
		},
	})
}
