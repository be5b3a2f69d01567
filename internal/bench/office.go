package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/collabledger/collabledger/client"
	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// setUpAtOnce is how many firms register at the same time before a measurement.
const setUpAtOnce = 16

// maxTasks is how many tasks an office keeps pending.
const maxTasks = 50

// office is a consultancy's office at one client, and one client of the benchmark: it submits commands about them.
type office struct {
	conn
	random       *rand.Rand
	pair         commands.PairFields
	consultant   string // of the consultancy, account/user
	owner        string // of the client, likewise
	run          string // tells this run's tasks from those of others
	raised       int
	tasks        []uuid.UUID
	sessions     []uuid.UUID
	clientWrites bool // the next message
}

// openOffices registers consultancies and clients, lets them collaborate, and gives as many offices.
func openOffices(ctx context.Context, at *server, url string, count int, done func(offices int)) ([]*office, error) {
	ledger := client.New(url, at.key)
	offices := make([]*office, count)
	opening, ctx := errgroup.WithContext(ctx)
	opening.SetLimit(setUpAtOnce)
	for first := 0; first < count; first += clientsPerConsultancy {
		opening.Go(func() error {
			consultancy, owner, err := foundConsultancy(ctx, ledger)
			if err != nil {
				return err
			}
			for i := first; i < min(first+clientsPerConsultancy, count); i++ {
				offices[i] = &office{conn: conn{server: at}, random: rand.New(rand.NewPCG(uint64(i), 0)), run: uuid.NewString(), consultant: consultancy.String() + "/" + owner.String()}
				if err := offices[i].open(ctx, ledger, consultancy, owner); err != nil {
					return err
				}
				done(1)
			}
			return nil
		})
	}
	if err := opening.Wait(); err != nil {
		return nil, fmt.Errorf("set up firms: %w", err)
	}
	return offices, nil
}

// do submits a command that must be accepted.
func do[R any](ctx context.Context, ledger *client.Client, name string, command commands.Command) (result R, err error) {
	answer, err := ledger.Do(ctx, name, command)
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal(answer.Result, &result); err != nil {
		return result, fmt.Errorf("the result of %s: %w", name, err)
	}
	return result, nil
}

// foundConsultancy lets a consultancy join the programme and be listed.
func foundConsultancy(ctx context.Context, ledger *client.Client) (id, owner uuid.UUID, err error) {
	account, err := do[commands.AccountResult](ctx, ledger, "RegisterAccount", registration(domain.Consultancy, domain.Agency, "Asesoría"))
	if err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	id, owner = account.AccountID, account.OwnerUserID
	for _, step := range []struct {
		by      *client.Client
		name    string
		command commands.Command
	}{
		{ledger.As(id, owner), "ApplyForPartnership", commands.ApplyForPartnership{ConsultancyID: id}},
		{ledger, "AcceptPartnership", commands.AcceptPartnership{ConsultancyID: id}},
		{ledger.As(id, owner), "SubmitProfile", commands.SubmitProfile{ConsultancyID: id, Profile: domain.Profile{
			DisplayName: "Asesoría", Description: "Contabilidad e impuestos.", Services: []string{"bookkeeping"}, Specialties: []string{},
			Languages: []string{"es"}, Country: "ES", City: "Barcelona", ContactEmail: "hola@asesoria.example",
		}}},
		{ledger, "ApproveProfile", commands.ApproveProfile{ConsultancyID: id, Revision: 1}},
	} {
		if _, err := do[json.RawMessage](ctx, step.by, step.name, step.command); err != nil {
			return id, owner, err
		}
	}
	return id, owner, nil
}

func registration(kind domain.AccountType, firm domain.FirmKind, name string) commands.RegisterAccount {
	return commands.RegisterAccount{
		Type: kind, FirmKind: firm, Plan: domain.PlanStandard, Owner: commands.NewPerson{Name: "Anna Vidal", Email: "anna@vidal.example"},
		AccountDetails: domain.AccountDetails{LegalName: name + " S.L.", TradeName: name, TaxID: "B12345678", Country: "ES", Email: "hola@vidal.example", Phone: "+34 931 234 567"},
	}
}

// open lets a new client collaborate with the consultancy and let it in.
func (o *office) open(ctx context.Context, ledger *client.Client, consultancy, consultant uuid.UUID) error {
	account, err := do[commands.AccountResult](ctx, ledger, "RegisterAccount", registration(domain.Business, "", "Panadería"))
	if err != nil {
		return err
	}
	o.owner = account.AccountID.String() + "/" + account.OwnerUserID.String()
	o.pair = commands.PairFields{ConsultancyID: consultancy, ClientID: account.AccountID}
	owner := ledger.As(account.AccountID, account.OwnerUserID)
	if _, err := do[json.RawMessage](ctx, owner, "RequestCollaboration", commands.RequestCollaboration{PairFields: o.pair, Message: "Llévennos la contabilidad."}); err != nil {
		return err
	}
	if _, err := do[json.RawMessage](ctx, ledger.As(consultancy, consultant), "AcceptCollaboration", commands.AcceptCollaboration{PairFields: o.pair}); err != nil {
		return err
	}
	_, err = do[json.RawMessage](ctx, owner, "GrantAccess", commands.GrantAccess{PairFields: o.pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance}})
	return err
}

// work submits the next command of a usual mix.
func (o *office) work(ctx context.Context) error {
	switch at := o.random.IntN(100); {
	case at < 35:
		_, err := o.raiseTask(ctx)
		return err
	case at < 67:
		return o.completeTask(ctx)
	case at < 80:
		return o.sendMessage(ctx)
	case at < 88:
		_, err := o.submit(ctx, "MarkConversationRead", o.consultant, commands.MarkConversationRead{PairFields: o.pair})
		return err
	case at < 94:
		return o.logIn(ctx)
	default:
		return o.logOut(ctx)
	}
}

// submit submits a command over the office's own connection.
func (o *office) submit(ctx context.Context, name, actAs string, command commands.Command) (answer, error) {
	body, err := json.Marshal(command)
	if err != nil {
		return answer{}, fmt.Errorf("encode %s: %w", name, err)
	}
	return o.post(ctx, name, actAs, body)
}

// raiseTask raises a task as the client's own system does.
func (o *office) raiseTask(ctx context.Context) (answer, error) {
	o.raised++
	reference := o.run + "-" + strconv.Itoa(o.raised)
	a, err := o.submit(ctx, "RaiseTask", "", commands.RaiseTask{
		ClientID: o.pair.ClientID, Section: domain.Sales, Title: "Enviar 3 facturas", ExternalRef: reference, GoTo: "https://app.example/sales/" + reference,
	})
	if err == nil && len(o.tasks) < maxTasks {
		o.tasks = append(o.tasks, domain.TaskID(o.pair.ClientID, reference))
	}
	return a, err
}

func (o *office) completeTask(ctx context.Context) error {
	if len(o.tasks) == 0 {
		_, err := o.raiseTask(ctx)
		return err
	}
	_, err := o.submit(ctx, "CompleteTask", o.consultant, commands.CompleteTask{TaskID: o.tasks[0]})
	o.tasks = o.tasks[1:]
	return err
}

func (o *office) sendMessage(ctx context.Context) error {
	who := o.consultant
	if o.clientWrites {
		who = o.owner
	}
	o.clientWrites = !o.clientWrites
	_, err := o.submit(ctx, "SendMessage", who, commands.SendMessage{PairFields: o.pair, Body: "Les hemos dejado las facturas de este mes en la bandeja."})
	return err
}

func (o *office) logIn(ctx context.Context) error {
	a, err := o.submit(ctx, "OpenClientAccount", o.consultant, commands.OpenClientAccount{PairFields: o.pair, Purpose: "Cierre mensual"})
	if err != nil {
		return err
	}
	var opened struct{ Result commands.SessionResult }
	if err := json.Unmarshal(a.body, &opened); err != nil {
		return fmt.Errorf("the result of OpenClientAccount: %w", err)
	}
	o.sessions = append(o.sessions, opened.Result.SessionID)
	return nil
}

func (o *office) logOut(ctx context.Context) error {
	if len(o.sessions) == 0 {
		return o.logIn(ctx)
	}
	_, err := o.submit(ctx, "CloseClientAccount", o.consultant, commands.CloseClientAccount{SessionID: o.sessions[0]})
	o.sessions = o.sessions[1:]
	return err
}
