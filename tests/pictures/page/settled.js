// Waits until the page has stopped changing: icons come, legends are measured.
const QUIET = 400;
const LONGEST = 10_000;

export async function settled(root) {
  await new Promise((resolve) => {
    const end = () => {
      observer.disconnect();
      clearTimeout(quiet);
      clearTimeout(longest);
      resolve();
    };
    let quiet = setTimeout(end, QUIET);
    const longest = setTimeout(end, LONGEST);
    const observer = new MutationObserver(() => {
      clearTimeout(quiet);
      quiet = setTimeout(end, QUIET);
    });
    observer.observe(root, { subtree: true, childList: true, attributes: true });
  });
}
