// Jest setup provided by Grafana scaffolding
import './.config/jest-setup';

// jsdom has none, and Grafana's lists ask for one to shade their ends.
global.IntersectionObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
  takeRecords() {
    return [];
  }
};
