//! Orders become work, one after the other.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};

/// A wish that the work be done from now on; answered when it has been.
struct Order(Option<oneshot::Sender<()>>);

/// Takes orders for one kind of work; all clones lead to the same worker.
#[derive(Clone)]
pub(super) struct Orders(UnboundedSender<Order>);

/// Receives the orders.
pub(super) struct Desk(UnboundedReceiver<Order>);

/// A place to order and a place to receive orders.
pub(super) fn orders() -> (Orders, Desk) {
    let (sender, receiver) = unbounded_channel();
    (Orders(sender), Desk(receiver))
}

impl Orders {
    /// Orders without waiting. An engine that has stopped takes no orders.
    pub(super) fn order(&self) {
        let _ = self.0.send(Order(None));
    }

    /// Orders and waits until work that began after the order has been done, or the engine has
    /// stopped.
    pub(super) async fn order_and_wait(&self) {
        let (done, waiting) = oneshot::channel();
        if self.0.send(Order(Some(done))).is_ok() {
            let _ = waiting.await;
        }
    }
}

impl Desk {
    /// Works until told to stop. Orders that arrive while the work is being done are met together
    /// by doing it once more.
    pub(super) async fn serve(mut self, mut stop: watch::Receiver<bool>, work: impl AsyncFn()) {
        loop {
            let first = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                order = self.0.recv() => order,
            };
            let Some(Order(first)) = first else { return };
            let mut waiting: Vec<_> = first.into_iter().collect();
            while let Ok(Order(another)) = self.0.try_recv() {
                waiting.extend(another);
            }
            work().await;
            for done in waiting {
                let _ = done.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn orders_are_met_together_and_waited_for() {
        let (orders, desk) = orders();
        let (stop, stopped) = watch::channel(false);
        let done = Cell::new(0);
        for _ in 0..3 {
            orders.order();
        }

        let serve = desk.serve(stopped, async || done.set(done.get() + 1));
        let client = async {
            orders.order_and_wait().await;
            assert_eq!(done.get(), 1);
            orders.order_and_wait().await;
            assert_eq!(done.get(), 2);
            stop.send_replace(true);
        };

        tokio::join!(client, serve);
        orders.order_and_wait().await;
    }
}
