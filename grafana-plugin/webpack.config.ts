import CopyWebpackPlugin from 'copy-webpack-plugin';
import type { Configuration } from 'webpack';

import scaffold, { type Env } from './.config/webpack/webpack.config.ts';

/** The scaffold's, which copies the pictures of the plugin at the root alone: the panel that lies within has its own. */
const config = async (env: Env): Promise<Configuration> => {
  const base = await scaffold(env);
  return {
    ...base,
    plugins: [...(base.plugins ?? []), new CopyWebpackPlugin({ patterns: [{ from: 'clinic/img', to: 'clinic/img' }] })],
  };
};

export default config;
