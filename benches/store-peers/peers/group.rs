//! Group commit: one thread takes what has gathered, commits it as one, and answers all who wait.
//!
//! This is how the store does it, so that the engines differ in the engine only: after a commit that answered many, it
//! waits for as many again, for 100 microseconds at most; and it is woken only when it sleeps.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use edge_core::{Durability, Message, Receipt, ReceiptSender};

use crate::Fallible;
use crate::engines::{Engine, Queue};

const GATHER: Duration = Duration::from_micros(100);

/// A queue over an engine.
#[derive(Debug)]
pub(crate) struct Group {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    mail: Mutex<Mail>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct Mail {
    messages: Vec<Message>,
    senders: Vec<ReceiptSender>,
    /// With how many messages the thread is to be woken; 0 while it is at work.
    wakes_at: usize,
    commits: u64,
    ends: bool,
}

impl Group {
    pub(crate) fn new(engine: Box<dyn Engine>) -> Fallible<Self> {
        let shared = Arc::new(Shared::default());
        let run = {
            let shared = shared.clone();
            move || shared.run(engine)
        };
        let thread = Builder::new().name("commit".into()).spawn(run)?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Queue for Group {
    fn append(&self, message: Message) -> Receipt {
        let (sender, receipt) = Receipt::pair();
        let mut mail = self.shared.lock();
        mail.messages.push(message);
        mail.senders.push(sender);
        let wakes = mail.wakes_at > 0 && mail.messages.len() >= mail.wakes_at;
        if wakes {
            mail.wakes_at = 0;
        }
        drop(mail);
        if wakes {
            self.shared.woken.notify_one();
        }
        receipt
    }

    fn commits(&self) -> u64 {
        self.shared.lock().commits
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut engine: Box<dyn Engine>) {
        let (mut messages, mut senders) = (Vec::new(), Vec::new());
        let mut next = 0;
        loop {
            let last_group = messages.len();
            messages.clear();
            let mut mail = self.lock();
            while mail.messages.is_empty() && !mail.ends {
                mail.wakes_at = 1;
                mail = self.woken.wait(mail).unwrap_or_else(PoisonError::into_inner);
            }
            if last_group > mail.messages.len() && !mail.ends {
                mail.wakes_at = last_group;
                mail = self.woken.wait_timeout(mail, GATHER).unwrap_or_else(PoisonError::into_inner).0;
            }
            mail.wakes_at = 0;
            std::mem::swap(&mut mail.messages, &mut messages);
            std::mem::swap(&mut mail.senders, &mut senders);
            if messages.is_empty() && mail.ends {
                return;
            }
            mail.commits += 1;
            drop(mail);
            engine.commit(next, &messages).expect("the engine works");
            next += messages.len() as u64;
            for sender in senders.drain(..) {
                sender.send(Ok(Durability::Synced));
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.shared.lock().ends = true;
        self.shared.woken.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the engine works");
        }
    }
}
