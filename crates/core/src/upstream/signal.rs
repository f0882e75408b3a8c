//! What wakes whoever moves a connection: only what happens while nobody looks at it.
//!
//! A connection without a task of its own is moved by the task that waits for it. The halves of HTTP tell each other of
//! every step, and would wake that task for each, though it is the one that steps. A signal keeps such wake-ups as a
//! mark, which is looked at before the task sleeps; and a task that is woken for something else sees by the mark that
//! the connection has nothing new.

use futures_util::task::AtomicWaker;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Steps after which other tasks have their turn: after many rounds without a rest hyper asks for one, by a wake-up at
/// once.
const STEPS: usize = 4;

/// See the module.
pub struct Signal {
    state: Arc<State>,
    /// The state's, made once.
    waker: Waker,
}

#[derive(Default)]
struct State {
    /// Who is woken.
    task: AtomicWaker,
    /// Something happened.
    raised: AtomicBool,
    /// Somebody looks.
    watched: AtomicBool,
}

impl Default for Signal {
    fn default() -> Self {
        let state = Arc::<State>::default();
        Self { waker: Waker::from(state.clone()), state }
    }
}

impl Signal {
    /// What is to be waited for is polled with this.
    #[must_use]
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// As if something had happened: the next watch begins with a step.
    pub fn raise(&self) {
        self.state.raised.store(true, Ordering::SeqCst);
    }

    /// Nobody waits any more.
    pub fn forget(&self) {
        self.state.task.take();
    }

    /// Looks for what is wanted, and steps when something has happened, which is told to [`waker`](Self::waker). The
    /// task of `cx` is woken by what happens afterwards.
    pub fn watch<T>(
        &self,
        cx: &mut Context<'_>,
        mut look: impl FnMut() -> Poll<T>,
        mut step: impl FnMut(),
    ) -> Poll<T> {
        let State { task, raised, watched } = &*self.state;
        task.register(cx.waker());
        watched.store(true, Ordering::SeqCst);
        let mut found = look();
        for _ in 0..STEPS {
            if found.is_ready() || !raised.swap(false, Ordering::SeqCst) {
                break;
            }
            step();
            found = look();
        }
        // Whoever raises it from here on wakes the task; what was raised until now is seen here.
        watched.store(false, Ordering::SeqCst);
        if found.is_pending() && raised.load(Ordering::SeqCst) {
            cx.waker().wake_by_ref();
        }
        found
    }
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raised.store(true, Ordering::SeqCst);
        if !self.watched.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        cell::Cell,
        sync::atomic::AtomicUsize,
        time::{Duration, Instant},
    };

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn task() -> (Arc<Woken>, Waker) {
        let woken = Arc::<Woken>::default();
        (woken.clone(), Waker::from(woken))
    }

    #[test]
    fn what_happens_while_somebody_looks_is_a_step_and_wakes_nobody() {
        let (woken, waker) = task();
        let signal = Signal::default();
        signal.raise();
        let steps = Cell::new(0);
        let look = || if steps.get() == 3 { Poll::Ready(()) } else { Poll::Pending };
        let step = || {
            steps.set(steps.get() + 1);
            signal.waker().wake_by_ref();
        };
        assert!(signal.watch(&mut Context::from_waker(&waker), look, step).is_ready());
        assert_eq!((steps.get(), woken.0.load(Ordering::SeqCst)), (3, 0));
    }

    #[test]
    fn nothing_is_stepped_for_a_wake_up_that_was_for_something_else() {
        let (woken, waker) = task();
        let signal = Signal::default();
        let watch = || {
            let mut steps = 0;
            let polled: Poll<()> =
                signal.watch(&mut Context::from_waker(&waker), || Poll::Pending, || steps += 1);
            assert!(polled.is_pending());
            steps
        };
        assert_eq!(watch(), 0);
        signal.waker().wake_by_ref();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!((watch(), watch()), (1, 0));
    }

    #[test]
    fn what_never_comes_to_rest_does_not_keep_its_thread() {
        let (woken, waker) = task();
        let signal = Signal::default();
        signal.raise();
        let mut steps = 0;
        let step = || {
            steps += 1;
            signal.waker().wake_by_ref();
        };
        let polled: Poll<()> = signal.watch(&mut Context::from_waker(&waker), || Poll::Pending, step);
        assert!(polled.is_pending());
        assert_eq!((steps, woken.0.load(Ordering::SeqCst)), (STEPS, 1));
    }

    #[test]
    fn whoever_is_forgotten_is_not_woken_and_the_next_steps_first() {
        let (woken, waker) = task();
        let signal = Signal::default();
        let mut cx = Context::from_waker(&waker);
        assert!(signal.watch(&mut cx, || Poll::<()>::Pending, || ()).is_pending());
        signal.forget();
        signal.waker().wake_by_ref();
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        let mut steps = 0;
        assert!(signal.watch(&mut cx, || Poll::<()>::Pending, || steps += 1).is_pending());
        assert_eq!(steps, 1);
    }

    #[test]
    fn nothing_is_missed_between_two_threads() {
        const ROUNDS: usize = 20_000;
        let signal = Signal::default();
        let (sent, waker) = (Arc::<AtomicUsize>::default(), signal.waker().clone());
        let sender = {
            let sent = sent.clone();
            std::thread::spawn(move || {
                for _ in 0..ROUNDS {
                    sent.fetch_add(1, Ordering::SeqCst);
                    waker.wake_by_ref();
                }
            })
        };
        let seen = Cell::new(0);
        let end = Instant::now() + Duration::from_secs(60);
        let (woken, task) = task();
        while seen.get() < ROUNDS {
            let before = woken.0.load(Ordering::SeqCst);
            let mut cx = Context::from_waker(&task);
            let polled: Poll<()> =
                signal.watch(&mut cx, || Poll::Pending, || seen.set(sent.load(Ordering::SeqCst)));
            assert!(polled.is_pending());
            // As a sleeping task: until it is woken.
            while seen.get() < ROUNDS && woken.0.load(Ordering::SeqCst) == before {
                assert!(Instant::now() < end, "a wake-up is lost after {} of {ROUNDS}", seen.get());
                std::hint::spin_loop();
            }
        }
        sender.join().unwrap();
    }
}
