//! One call on its way through a service: its caller, and how its end is told.

use std::{future::Future, sync::Arc};

use leasehold_control::{Caller, Control, Problem};
use leasehold_domain::{actor::Principal, text::TraceId};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use crate::{
    authentication::{Identified, Shown, Unidentified},
    refusal::Refusal,
    status::{self, Attempt},
};

/// A call. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) control: Control,
    pub(crate) caller: Caller,
    shown: Arc<Shown>,
    /// What is attempted, after "could not".
    what: &'static str,
    trace: TraceId,
}

impl Call {
    /// The call of a request that the edge has let in, and its message.
    ///
    /// # Errors
    /// A fault where the edge did not say who calls: nothing is done for nobody.
    pub(crate) fn begin<T>(
        control: &Control,
        what: &'static str,
        request: Request<T>,
    ) -> Result<(Self, T), Status> {
        let (_, mut extensions, message) = request.into_parts();
        let Some(Identified { caller, shown }) = extensions.remove::<Identified>() else {
            tracing::error!(what, "a call reached a service without a caller");
            return Err(Refusal::unauthenticated().into_status());
        };
        let trace = caller.actor.origin.trace.unwrap_or(TraceId::from_bytes([0; 16]));
        Ok((Self { control: control.clone(), caller, shown: Arc::new(shown), what, trace }, message))
    }

    /// Answers with what `work` comes to.
    ///
    /// # Errors
    /// Its problem, as the caller is told it.
    pub(crate) async fn answer<R>(
        &self,
        work: impl Future<Output = Result<R, Problem>>,
    ) -> Result<Response<R>, Status> {
        work.await.map(Response::new).map_err(|problem| self.status(&problem))
    }

    /// Answers with what `work` comes to, which goes on to its end even if the caller does not wait: it has several steps.
    ///
    /// # Errors
    /// Its problem, as the caller is told it.
    pub(crate) async fn carry_through<R: Send + 'static>(
        &self,
        work: impl Future<Output = Result<R, Problem>> + Send + 'static,
    ) -> Result<Response<R>, Status> {
        let end = self.control.carry_through(work.in_current_span()).await;
        self.answer(async { end.unwrap_or_else(|error| Err(broken(&error))) }).await
    }

    /// For calls that look a name up before it is asked whether the caller may: others learn nothing of what there is.
    ///
    /// # Errors
    /// [`Problem::WrongCaller`] for anybody but an administrator.
    pub(crate) fn for_administrators(&self) -> Result<(), Problem> {
        match self.caller.actor.principal {
            Principal::Administrator(_) => Ok(()),
            Principal::Cluster | Principal::Bootstrap(_) | Principal::Workload(_) | Principal::Person(_) => {
                Err(Problem::WrongCaller)
            }
        }
    }

    /// The same caller, by what it showed at the start, as things are now.
    ///
    /// # Errors
    /// Once it is nobody that is known.
    pub(crate) fn identify_again(&self) -> Result<(), Refusal> {
        match self.shown.identify(&self.control) {
            Ok(now) if now.actor.principal == self.caller.actor.principal => Ok(()),
            Ok(_) | Err(Unidentified::Unknown(_)) => Err(Refusal::unauthenticated().traced(self.trace)),
            Err(Unidentified::Problem(problem)) => Err(self.refusal(&problem)),
        }
    }

    /// A problem as the caller is told it.
    pub(crate) fn refusal(&self, problem: &Problem) -> Refusal {
        let attempt = Attempt { what: self.what, trace: self.trace, at: self.control.now() };
        status::refusal(problem, attempt)
    }

    /// The same, as a status.
    pub(crate) fn status(&self, problem: &Problem) -> Status {
        self.refusal(problem).into_status()
    }
}

/// The fault of a task that broke.
pub(crate) fn broken(error: &tokio::task::JoinError) -> Problem {
    tracing::error!(%error, "a task of a call broke");
    Problem::Fault
}
