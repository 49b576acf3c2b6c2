// A worker that is not ours: plain Go over stubs that another generator made from proto/flovyn/v1.
//
// It runs agents, workflows and tasks for one server, each with a few polls at a time, until it is killed. What it
// does it learnt from the protocol alone; nothing of the Python SDK is in it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"rescind.test/foreign/flovyn"
)

const (
	queue       = "go"
	pollSeconds = 30
	pollers     = 4
)

// worker holds the connection, and what the server knows us by.
type worker struct {
	id        string
	name      string
	org       string
	agents    flovyn.AgentDispatchClient
	workflows flovyn.WorkflowDispatchClient
	tasks     flovyn.TaskExecutionClient
}

func main() {
	address := flag.String("address", "", "host and port of the server")
	org := flag.String("org", "", "id of the organisation; may be empty")
	token := flag.String("token", "", "a worker's token; may be empty")
	flag.Parse()

	connection, err := grpc.NewClient(*address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatalf("no connection to %s: %v", *address, err)
	}
	ctx := context.Background()
	if *token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+*token)
	}
	w := &worker{
		name:      fmt.Sprintf("go-%d", os.Getpid()),
		org:       *org,
		agents:    flovyn.NewAgentDispatchClient(connection),
		workflows: flovyn.NewWorkflowDispatchClient(connection),
		tasks:     flovyn.NewTaskExecutionClient(connection),
	}
	w.register(ctx, flovyn.NewWorkerLifecycleClient(connection))
	for n := 0; n < pollers; n++ {
		go forever(func() error { return w.pollAgent(ctx) })
		go forever(func() error { return w.pollWorkflow(ctx) })
		go forever(func() error { return w.pollTask(ctx) })
	}
	fmt.Println("ready", w.id)
	select {}
}

// register tells the server what this worker can run.
func (w *worker) register(ctx context.Context, lifecycle flovyn.WorkerLifecycleClient) {
	host, _ := os.Hostname()
	request := &flovyn.WorkerRegistrationRequest{
		WorkerName: w.name, WorkerVersion: "1.0.0", WorkerType: "UNIFIED", OrgId: w.org,
		HostName: host, ProcessId: fmt.Sprint(os.Getpid()),
	}
	for kind := range agents {
		request.Agents = append(request.Agents, &flovyn.AgentCapability{Kind: kind, Name: kind})
	}
	for kind := range workflows {
		request.Workflows = append(request.Workflows, &flovyn.WorkflowCapability{Kind: kind, Name: kind})
	}
	for kind := range tasks {
		request.Tasks = append(request.Tasks, &flovyn.TaskCapability{Kind: kind, Name: kind})
	}
	answer, err := lifecycle.RegisterWorker(ctx, request)
	if err != nil || !answer.Success {
		log.Fatalf("the server did not register this worker: %v %v", answer, err)
	}
	w.id = answer.WorkerId
}

// forever polls again and again. A server that is away is asked again after a while, as people's workers do.
func forever(poll func() error) {
	for {
		if err := guarded(poll); err != nil {
			log.Printf("poll: %v", err)
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// guarded leaves a pass where the server went away: whoever claims its execution next runs it again.
func guarded(poll func() error) (err error) {
	defer func() {
		if left, isLost := recover().(lost); isLost {
			err = left.error
		}
	}()
	return poll()
}

// lost is what a pass is left with when the server has gone away.
type lost struct{ error }

// must ends the pass where the server is away, and the worker at every other refusal: here no call may be refused.
func must[T any](answer T, err error) T {
	if status.Code(err) == codes.Unavailable {
		panic(lost{err})
	}
	if err != nil {
		log.Fatalf("refused: %v", err)
	}
	return answer
}
