//! Argon2 on a few threads of its own, each with memory that it keeps: however many passwords are
//! tried, hashing takes no more than that.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use tokio::sync::{Semaphore, oneshot};

use crate::problem::{Problem, Result};

/// Threads, and so hashes computed in the process at the same time.
const AT_ONCE: usize = 2;
/// How long a hash waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// Seconds after which a client may try again when the turn did not come.
const RETRY_SECONDS: u32 = 5;

/// What a thread has to do.
type Task = Box<dyn FnOnce(&mut Hasher) + Send>;

/// The threads, and as many turns as there are threads.
struct Threads {
    turns: Arc<Semaphore>,
    tasks: Sender<Task>,
}

static THREADS: LazyLock<Threads> = LazyLock::new(|| {
    let (tasks, waiting) = channel();
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..AT_ONCE {
        let waiting = Arc::clone(&waiting);
        thread::spawn(move || work(&waiting));
    }
    Threads {
        turns: Arc::new(Semaphore::new(AT_ONCE)),
        tasks,
    }
});

fn work(waiting: &Mutex<Receiver<Task>>) {
    let mut hasher = Hasher::default();
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(task) = next else { return };
        task(&mut hasher);
    }
}

/// Does `task` on one of the threads; 503 when there are too many before it.
pub(super) async fn turn<T: Send + 'static>(
    task: impl FnOnce(&mut Hasher) -> Result<T> + Send + 'static,
) -> Result<T> {
    let turn = tokio::time::timeout(PATIENCE, Arc::clone(&THREADS.turns).acquire_owned())
        .await
        .map_err(|late| Problem::unavailable(RETRY_SECONDS, late))?
        .map_err(Problem::internal)?;
    let (tell, told) = oneshot::channel();
    let task: Task = Box::new(move |hasher| {
        // Nobody listens any more when the client has gone.
        let _ = tell.send(task(hasher));
        drop(turn);
    });
    THREADS
        .tasks
        .send(task)
        .map_err(|_unsent| Problem::internal("the threads that hash have ended"))?;
    told.await.map_err(Problem::internal)?
}

/// Argon2 with memory that is used again.
#[derive(Default)]
pub(super) struct Hasher {
    memory: Vec<Block>,
}

impl Hasher {
    /// The Argon2id hash of a password.
    pub(super) fn hash(
        &mut self,
        password: &str,
        salt: &[u8],
        params: Params,
    ) -> Result<PasswordHash> {
        let described = ParamsString::try_from(&params).map_err(fault)?;
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        self.fill(&argon, password, salt, &mut output)?;
        Ok(PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: described,
            salt: Some(Salt::new(salt).map_err(fault)?),
            hash: Some(Output::new(&output).map_err(fault)?),
        })
    }

    /// Whether a password has this hash, whatever parameters that was made with.
    pub(super) fn is_right(&mut self, password: &str, hash: &PasswordHash) -> Result<bool> {
        let (Some(salt), Some(known)) = (&hash.salt, &hash.hash) else {
            return Ok(false);
        };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(fault)?;
        let version = match hash.version {
            Some(version) => Version::try_from(version).map_err(fault)?,
            None => Version::V0x13,
        };
        let params = Params::try_from(hash).map_err(fault)?;
        let mut output = vec![0; known.len()];
        let argon = Argon2::new(algorithm, version, params);
        self.fill(&argon, password, salt.as_ref(), &mut output)?;
        Ok(verify_slices_are_equal(&output, known.as_bytes()).is_ok())
    }

    fn fill(
        &mut self,
        argon: &Argon2<'_>,
        password: &str,
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<()> {
        let blocks = argon.params().block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::default());
        }
        argon
            .hash_password_into_with_memory(password.as_bytes(), salt, output, &mut self.memory)
            .map_err(fault)
    }
}

fn fault(error: impl std::fmt::Display) -> Problem {
    Problem::internal(error.to_string())
}
