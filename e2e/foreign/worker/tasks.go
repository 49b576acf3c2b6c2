package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"rescind.test/foreign/flovyn"
)

const heartbeatEvery = 50 * time.Millisecond

// tasks return their output as JSON, or an error text.
var tasks = map[string]func(context.Context, *worker, *flovyn.TaskExecutionInfo) (string, error){
	"go-quick":   quick,
	"go-endless": endless,
	"go-fails":   fails,
}

func (w *worker) pollTask(ctx context.Context) error {
	answer, err := w.tasks.PollTask(ctx, &flovyn.PollTaskRequest{
		WorkerId: w.id, OrgId: w.org, Queue: queue, TimeoutSeconds: pollSeconds,
	})
	if err != nil || answer.Task == nil {
		return err
	}
	task := answer.Task
	output, failure := tasks[task.Kind](ctx, w, task)
	if failure != nil {
		_, err = w.tasks.FailTask(ctx, &flovyn.FailTaskRequest{TaskExecutionId: task.TaskExecutionId, Error: failure.Error()})
	} else {
		_, err = w.tasks.CompleteTask(ctx, &flovyn.CompleteTaskRequest{
			TaskExecutionId: task.TaskExecutionId, Output: []byte(output),
		})
	}
	fmt.Println("ended", task.Kind, task.TaskExecutionId, status.Code(err))
	return nil
}

// quick reports and streams, and is done.
func quick(ctx context.Context, w *worker, task *flovyn.TaskExecutionInfo) (string, error) {
	must(w.tasks.Heartbeat(ctx, &flovyn.HeartbeatRequest{TaskExecutionId: task.TaskExecutionId}))
	must(w.tasks.ReportProgress(ctx, &flovyn.ReportProgressRequest{
		TaskExecutionId: task.TaskExecutionId, Progress: 0.5, Details: "half of it",
	}))
	for n, word := range []string{"from", "Go"} {
		must(w.tasks.StreamTaskData(ctx, &flovyn.StreamTaskDataRequest{
			TaskExecutionId: task.TaskExecutionId, WorkflowExecutionId: task.WorkflowExecutionId,
			Sequence: int32(n), Type: flovyn.StreamEventType_TOKEN,
			Payload: fmt.Sprintf(`{"type":"token","text":%q}`, word), TimestampMs: time.Now().UnixMilli(),
		}))
	}
	return fmt.Sprintf(`{"input":%s,"attempt":%d}`, task.Input, task.ExecutionCount), nil
}

// endless works until a heartbeat fails: the one hint that the protocol gives a task that was cancelled.
func endless(ctx context.Context, w *worker, task *flovyn.TaskExecutionInfo) (string, error) {
	for {
		_, err := w.tasks.Heartbeat(ctx, &flovyn.HeartbeatRequest{TaskExecutionId: task.TaskExecutionId})
		if status.Code(err) == codes.Unavailable {
			continue
		}
		if err != nil {
			fmt.Println("stopped", task.TaskExecutionId, status.Code(err))
			return `"too late"`, nil
		}
		time.Sleep(heartbeatEvery)
	}
}

// fails does so at its first attempt only.
func fails(_ context.Context, _ *worker, task *flovyn.TaskExecutionInfo) (string, error) {
	if task.ExecutionCount == 1 {
		return "", fmt.Errorf("the first attempt of %s fails", task.Kind)
	}
	return fmt.Sprint(task.ExecutionCount), nil
}
