//! Answers that nobody waits for any more and that are read to their end all the same, for what they cost is known
//! only then.
//!
//! Owns how many there may be and when they are given up; what reading them means is brought along by whoever
//! leaves one here. Work that is given up is dropped, and tells about itself then.

use std::{future::Future, sync::Arc};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Each holds a connection and a request's state: beyond this, answers are left together with their clients.
const MOST: usize = 1_000;

/// See the module. Clones are the same.
#[derive(Clone)]
pub struct Unclaimed {
    tasks: TaskTracker,
    room: Arc<Semaphore>,
    given_up: CancellationToken,
}

impl Default for Unclaimed {
    fn default() -> Self {
        Self::with_room(MOST)
    }
}

impl Unclaimed {
    fn with_room(most: usize) -> Self {
        let (tasks, given_up) = (TaskTracker::new(), CancellationToken::new());
        Self { tasks, room: Arc::new(Semaphore::new(most)), given_up }
    }

    /// Room for one more, if there is any and they have not been given up.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        if self.given_up.is_cancelled() {
            return None;
        }
        let permit = self.room.clone().try_acquire_owned().ok()?;
        // Whatever leaves an answer here does so in a drop, which may be outside of any runtime.
        let runtime = Handle::try_current().ok()?;
        Some(Place { permit, runtime, tasks: self.tasks.clone(), given_up: self.given_up.clone() })
    }

    /// Waits until all have been read, or given up. For the time when no client is left that could leave another.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Gives all of them up, and takes no more.
    pub fn give_up(&self) {
        self.given_up.cancel();
    }
}

/// Room for one answer.
pub struct Place {
    permit: OwnedSemaphorePermit,
    runtime: Handle,
    tasks: TaskTracker,
    given_up: CancellationToken,
}

impl Place {
    /// Has this done behind the requests' backs.
    pub fn fill(self, work: impl Future<Output = ()> + Send + 'static) {
        let Self { permit, runtime, tasks, given_up } = self;
        let task = async move {
            tokio::select! {
                biased;
                () = given_up.cancelled() => {}
                () = work => {}
            }
            drop(permit);
        };
        drop(tasks.spawn_on(task, &runtime));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn there_is_room_for_so_many_and_again_when_one_has_ended() {
        let unclaimed = Unclaimed::with_room(2);
        let (end, ended) = oneshot::channel::<()>();
        unclaimed.place().unwrap().fill(async { ended.await.unwrap() });
        unclaimed.place().unwrap().fill(pending());
        assert!(unclaimed.place().is_none());
        end.send(()).unwrap();
        while unclaimed.place().is_none() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_given_up_is_dropped_and_nothing_is_taken_after_it() {
        let unclaimed = Unclaimed::default();
        let (held, dropped) = oneshot::channel::<()>();
        unclaimed.place().unwrap().fill(async move {
            let _held = held;
            pending::<()>().await;
        });
        unclaimed.give_up();
        unclaimed.ended().await;
        assert!(dropped.await.is_err());
        assert!(unclaimed.place().is_none());
    }

    #[test]
    fn outside_of_a_runtime_nothing_is_taken() {
        assert!(Unclaimed::default().place().is_none());
    }
}
