// Jest setup provided by Grafana scaffolding
import './.config/jest-setup';
import { configure } from '@testing-library/react';

// A loaded machine takes its time to draw.
configure({ asyncUtilTimeout: 15000 });

// jsdom has none, and Grafana's lists ask for one to shade their ends.
global.IntersectionObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
  takeRecords() {
    return [];
  }
};
